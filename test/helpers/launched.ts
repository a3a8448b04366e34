/** What scripts/with-node.sh says to Node.js, for processes that are started without it and whose memory is looked at. */
export const LAUNCHED = { NODE_OPTIONS: '--max-semi-space-size=2', MALLOC_ARENA_MAX: '2' } as const
