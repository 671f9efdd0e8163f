import type { Make } from "../systems.ts"

export const peers: Readonly<Record<string, Make>>
