/**
 * Runs all of them until one rejects, which tells the others to stop, or all have resolved. Rejects with the first failure once all have
 * ended, so that nothing works on behind the caller's back.
 */
export async function together(
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController()
  const stop = (): void => over.abort(signal.reason)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  let failure: { readonly error: unknown } | undefined
  const watched = async (work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    try {
      await work(over.signal)
    } catch (error) {
      failure ??= { error }
      over.abort(error)
    }
  }
  try {
    await Promise.all(works.map(watched))
  } finally {
    signal.removeEventListener('abort', stop)
  }
  if (failure !== undefined) throw failure.error
}
