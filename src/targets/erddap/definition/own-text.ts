/** A copy of its own: what is cut out of a text otherwise keeps the whole text in memory for as long as it lives. */
export function ownText(text: string): string {
  return Buffer.from(text).toString()
}
