/** What a terminal would show: enough of one to draw what the command writes. It refuses what it does not know. */

const token = /\p{Cc}\[(\d*)(?:;\d+)*([A-Za-z])|\r(?!\n)|\r?\n|\P{Cc}/gu

/** The screens one after the other, each as it was before it was drawn over, and the last one. */
export const screens = (output: string, width: number): ReadonlyArray<string> => {
  const shots: Array<string> = []
  let rows: Array<Array<string>> = [[]]
  let row = 0
  let column = 0
  let drawn = 0
  const shot = () =>
    shots.push(rows.map((cells) => Array.from(cells, (cell) => cell ?? " ").join("").trimEnd()).join("\n"))
  const put = (character: string) => {
    if (column === width) {
      row++
      column = 0
    }
    while (rows.length <= row) rows.push([])
    const cells = rows[row] ?? []
    cells[column++] = character
  }
  for (const [text, count, command] of output.matchAll(token)) {
    drawn += text.length
    if (text === "\r") {
      shot()
      column = 0
    } else if (text.endsWith("\n")) {
      row++
      column = 0
      while (rows.length <= row) rows.push([])
    } else if (command === undefined) {
      put(text)
    } else if (command === "A") {
      row = Math.max(0, row - Number(count || 1))
    } else if (command === "K" && count === "2") {
      rows[row] = []
    } else if (command === "J" && (count === "" || count === "0")) {
      rows = [...rows.slice(0, row), (rows[row] ?? []).slice(0, column)]
    } else if (command !== "m") {
      throw new Error(`an escape sequence that is not known: ${JSON.stringify(text)}`)
    }
  }
  if (drawn !== output.length) throw new Error("something that is no text and no known escape sequence")
  shot()
  return shots
}

/** The words of a command line, for the shell that script(1) asks. */
export const shell = (words: ReadonlyArray<string>): string =>
  words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")
