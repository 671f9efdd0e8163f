/** What the package offers, as its declarations say it: TypeScript 7 has no compiler API, but JSDoc is kept in them. */
import { execFileSync } from "node:child_process"
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseAst } from "rolldown/parseAst"

const root = fileURLToPath(new URL("../..", import.meta.url))

export interface PublicSymbol {
  readonly name: string
  /** What a user calls, runs or provides, rather than a type or a plain value. */
  readonly isUsed: boolean
  readonly signature: string
  readonly doc: Doc
}

/** A JSDoc comment without its stars. The tags are at its end. */
export interface Doc {
  readonly text: string
  readonly tags: ReadonlyMap<string, string>
}

export interface PublicModule {
  /** As in `effect-lro/gemini/Veo`; the file is `src/<path>.ts`. */
  readonly path: string
  readonly doc: Doc
  readonly symbols: ReadonlyArray<PublicSymbol>
  /** What it exports of other modules: the name here, and where it is from. */
  readonly aliases: ReadonlyMap<string, { readonly name: string; readonly path: string }>
}

type Program = ReturnType<typeof parseAst>
type Statement = Program["body"][number]
type Declaration = NonNullable<Extract<Statement, { type: "ExportNamedDeclaration" }>["declaration"]>
type Type = Extract<Statement, { type: "TSTypeAliasDeclaration" }>["typeAnnotation"]

const readDoc = (comment: string): Doc => {
  const lines = comment.split("\n").map((line) => line.replace(/^\s*\*( |$)/, ""))
  const firstTag = lines.findIndex((line) => line.startsWith("@"))
  const body = firstTag === -1 ? lines : lines.slice(0, firstTag)
  return {
    text: body.join("\n").trim(),
    tags: new Map(lines.flatMap((line) => {
      const [, tag, value] = /^@(\w+) ?(.*)$/.exec(line) ?? []
      return tag === undefined ? [] : [[tag, (value ?? "").trim()]]
    }))
  }
}

const docBefore = (code: string, start: number): Doc =>
  readDoc(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s*$/.exec(code.slice(0, start))?.[1] ?? "")

/** From the source: a declaration file loses the comment of a module whose first import is not needed there. */
const moduleDoc = (path: string): Doc =>
  readDoc(/^\/\*\*((?:(?!\*\/)[^])*)\*\//.exec(readFileSync(join(root, "src", `${path}.ts`), "utf8"))?.[1] ?? "")

/** Functions are called, effects are run, layers are provided, streams are consumed; the rest are plain values. */
const isUsed = (code: string, type: Type | undefined): boolean => {
  switch (type?.type) {
    case "TSFunctionType":
    case "TSTypeQuery":
      return true
    case "TSTypeLiteral":
      return type.members.some((member) => member.type === "TSCallSignatureDeclaration")
    case "TSTypeReference":
      return /^(Effect\.Effect|Layer\.Layer|Stream\.Stream)\b/.test(code.slice(type.start, type.end))
    default:
      return false
  }
}

const nameOf = (node: { readonly type: string }) =>
  "name" in node ? String(node.name) : "value" in node ? String(node.value) : ""

const declared = (code: string, declaration: Declaration): ReadonlyArray<Omit<PublicSymbol, "doc">> => {
  const signature = code.slice(declaration.start, declaration.end).replace(/^(export )?declare /, "")
  switch (declaration.type) {
    case "VariableDeclaration":
      return declaration.declarations.flatMap(({ id }) =>
        id.type === "Identifier"
          ? [{ name: id.name, signature, isUsed: isUsed(code, id.typeAnnotation?.typeAnnotation) }]
          : []
      )
    case "TSDeclareFunction":
      return declaration.id ? [{ name: declaration.id.name, signature, isUsed: true }] : []
    case "ClassDeclaration":
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
    case "TSModuleDeclaration":
      return declaration.id ? [{ name: nameOf(declaration.id), signature, isUsed: false }] : []
    default:
      throw new Error(`a declaration of an unknown sort: ${signature}`)
  }
}

const readModule = (path: string, code: string): PublicModule => {
  const { body } = parseAst(code, { lang: "dts" }, `${path}.d.ts`)
  const symbols: Array<PublicSymbol> = []
  const aliases = new Map<string, { name: string; path: string }>()
  const local = new Map<string, Omit<PublicSymbol, "doc">>()
  const imported = new Map<string, string>()
  const from = (source: string) => join(dirname(path), source.replace(/\.[tj]s$/, ""))

  for (const node of body) {
    if (node.type === "ImportDeclaration") {
      for (const specifier of node.specifiers) imported.set(specifier.local.name, from(node.source.value))
    } else if (node.type !== "ExportNamedDeclaration" && node.type !== "ExportAllDeclaration" && "declare" in node) {
      for (const symbol of declared(code, node)) local.set(symbol.name, symbol)
    }
  }
  for (const node of body) {
    if (node.type === "ExportAllDeclaration") throw new Error(`${path} exports all of another module`)
    if (node.type !== "ExportNamedDeclaration") continue
    if (node.declaration) {
      const doc = docBefore(code, node.start)
      for (const symbol of declared(code, node.declaration)) symbols.push({ ...symbol, doc })
      continue
    }
    for (const { exported, local: inner, start } of node.specifiers) {
      const origin = node.source ? from(node.source.value) : imported.get(nameOf(inner))
      const symbol = local.get(nameOf(inner))
      if (origin !== undefined) aliases.set(nameOf(exported), { name: nameOf(inner), path: origin })
      else if (symbol) symbols.push({ ...symbol, name: nameOf(exported), doc: docBefore(code, start) })
      else throw new Error(`${path} exports ${nameOf(exported)}, which it does not declare`)
    }
  }
  return { path, doc: moduleDoc(path), symbols: tidy(symbols), aliases }
}

/** A class that is passed on is a value and a type of one name; the documentation of overloads is that of the first. */
const tidy = (symbols: ReadonlyArray<PublicSymbol>): ReadonlyArray<PublicSymbol> => {
  const types = new Set(symbols.filter(({ signature }) => signature.startsWith("type ")).map(({ name }) => name))
  const functions = Map.groupBy(
    symbols.filter(({ signature }) => signature.startsWith("function ")),
    ({ name }) => name
  )
  return symbols.flatMap((symbol) => {
    const overloads = functions.get(symbol.name)
    if (overloads !== undefined) {
      const signature = overloads.map((overload) => overload.signature).join("\n")
      return overloads[0] === symbol ? [{ ...symbol, signature }] : []
    }
    return [{ ...symbol, isUsed: symbol.isUsed && !types.has(symbol.name) }]
  })
}

/** What a public module takes from an internal one is its own, for a user. */
const adopt = (module: PublicModule, internal: ReadonlyMap<string, PublicModule>): PublicModule => {
  const isInternal = ([, { path }]: readonly [string, { readonly path: string }]) => internal.has(path)
  return {
    ...module,
    aliases: new Map([...module.aliases].filter((alias) => !isInternal(alias))),
    symbols: [
      ...module.symbols,
      ...[...module.aliases].filter(isInternal).flatMap(([, origin]) =>
        (internal.get(origin.path)?.symbols ?? []).filter(({ name }) => name === origin.name)
      )
    ]
  }
}

/** All modules that a user can import, of whichever folder: those that are not internal, and no index. */
export const publicModules = (): ReadonlyArray<PublicModule> => {
  const out = mkdtempSync(join(tmpdir(), "effect-lro-declarations-"))
  const read = (pattern: string, exclude: ReadonlyArray<string>) =>
    globSync(pattern, { cwd: out, exclude }).toSorted()
      .map((file) => readModule(file.replace(/\.d\.ts$/, ""), readFileSync(join(out, file), "utf8")))
  try {
    for (const project of globSync("src/**/tsconfig.json", { cwd: root })) {
      const options = ["--emitDeclarationOnly", "--declarationMap", "false", "--outDir", out]
      execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", project, ...options], { cwd: root })
    }
    const internal = new Map(read("**/internal/**/*.d.ts", []).map((module) => [module.path, module]))
    return read("**/*.d.ts", ["**/internal/**", "cli/**", "**/index.d.ts"]).map((module) => adopt(module, internal))
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}
