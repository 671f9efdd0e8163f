/** The reference as Markdown: a page for each public module, and one that lists them. */
import type { PublicModule, PublicSymbol } from "./declarations.ts"

type Modules = ReadonlyArray<PublicModule>

/** As GitHub makes them of the headings of one page: what comes again is numbered. */
export const anchors = (headings: ReadonlyArray<string>): ReadonlyArray<string> => {
  const seen = new Map<string, number>()
  return headings.map((heading) => {
    const slug = heading.trim().toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    return times === 0 ? slug : `${slug}-${times}`
  })
}

/** The headings of a page. */
export const headingsOf = (page: string): ReadonlyArray<string> =>
  [...page.replace(/^```[^]*?^```$/gm, "").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading)

const shortName = (path: string) => path.split("/").at(-1) ?? path

const relative = (from: string, to: string) => `${"../".repeat(from.split("/").length - 1)}${to}.md`

const layout = (module: PublicModule) => {
  // A type and a value of one name are one entry, so that a link to the name is clear.
  const entries = [...Map.groupBy(module.symbols, ({ name }: PublicSymbol) => name)]
  return Map.groupBy(entries, ([, [first]]) => first?.doc.tags.get("category") ?? "other")
}

const title = (module: PublicModule) => `effect-lro/${module.path}`

const categoryTitle = (category: string) => `${category[0]?.toUpperCase()}${category.slice(1)}`

const anchorOf = (module: PublicModule, name: string): string | undefined => {
  const headings = [title(module)]
  for (const [category, entries] of layout(module)) headings.push(categoryTitle(category), ...entries.map(([_]) => _))
  return anchors(headings)[headings.lastIndexOf(name)]
}

/** Where a `{@link}` leads: to a symbol of the same module, of one that it passes on, or of `Module.symbol`. */
const target = (module: PublicModule, modules: Modules, link: string): string | undefined => {
  const own = anchorOf(module, link)
  if (own !== undefined) return `#${own}`
  const alias = module.aliases.get(link)
  const [path = "", name] = alias === undefined ? link.split(".") : [alias.path, alias.name]
  const other = modules.find((other) => other.path === path || shortName(other.path) === path)
  if (other === undefined) return undefined
  const page = relative(module.path, other.path)
  if (name === undefined) return page
  const anchor = anchorOf(other, name)
  return anchor === undefined ? undefined : `${page}#${anchor}`
}

const linked = (module: PublicModule, modules: Modules, text: string) =>
  text.replace(/\{@link ([^}]+)\}/g, (_, link: string) => {
    const to = target(module, modules, link)
    if (to === undefined) throw new Error(`${module.path}: {@link ${link}} leads nowhere`)
    return `[\`${link}\`](${to})`
  })

const page = (module: PublicModule, modules: Modules): string => {
  const lines = [`# ${title(module)}`, "", linked(module, modules, module.doc.text)]
  for (const [category, entries] of layout(module)) {
    lines.push("", `## ${categoryTitle(category)}`)
    for (const [name, symbols] of entries) {
      lines.push("", `### ${name}`)
      for (const { doc, signature } of symbols) {
        lines.push("", "```ts", signature, "```", "", linked(module, modules, doc.text))
      }
      lines.push("", `Since ${symbols[0]?.doc.tags.get("since")}`)
    }
  }
  if (module.aliases.size > 0) {
    lines.push("", "## Also here", "")
    for (const [name, { path }] of module.aliases) {
      lines.push(linked(module, modules, `- {@link ${name}}, of ${shortName(path)}`))
    }
  }
  return `${lines.join("\n")}\n`
}

const contents = (modules: Modules): string => {
  const lines = modules.map((module) => {
    const [first = ""] = module.doc.text.split("\n\n")
    return `- [${module.path}](${module.path}.md): ${first.replaceAll("\n", " ").replace(/\{@link ([^}]+)\}/g, "`$1`")}`
  })
  return ["# effect-lro: reference", "", ...lines, ""].join("\n")
}

/** The pages, by their path. */
export const pages = (modules: Modules): ReadonlyMap<string, string> =>
  new Map([
    ["README.md", contents(modules)],
    ...modules.map((module) => [`${module.path}.md`, page(module, modules)] as const)
  ])
