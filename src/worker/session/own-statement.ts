/** A statement about Sluice's own variable: it is read under this name, or set to this text; null: to DEFAULT. */
export type OwnStatement =
  | { readonly reads: true; readonly name: string }
  | { readonly reads: false; readonly value: string | null; readonly isParameter: boolean }
