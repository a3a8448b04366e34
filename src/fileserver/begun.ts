/** The same pieces, the first of which is made before this returns: what cannot be answered at all throws here, not amid an answer. */
export function begun<T>(pieces: Generator<T, void>): Iterable<T> {
  const first = pieces.next()
  return rest()

  function* rest(): Generator<T, void> {
    if (first.done === true) return
    yield first.value
    yield* pieces
  }
}
