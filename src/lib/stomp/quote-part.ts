/** One part of a name on the broker: a dot would part it, and `*`, `>`, `,` and `?` mean something to ActiveMQ. */
export function quotePart(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  )
}
