/** Measures what a page has to load, and writes it into the README: `npm run sizes`. */
import { measure, write } from "./sizes/table.ts"

write(await measure())
