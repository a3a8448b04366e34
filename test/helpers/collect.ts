/** Everything that a stream yields, in order. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const value of stream) all.push(value)
  return all
}
