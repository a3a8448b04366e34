/*
 * A process of its own beside a command that runs under a lease. It ends the command's group of processes when the one that
 * keeps the lease has not said in time that it still has it: because that one is stopped, was killed, or is stuck.
 *
 *     guard PGID GRACE_MS          standard input: one line each, the moment in ns by which the group must have ended, or `done`
 */

const MS = 1_000_000n

const pgid = Number(process.argv[2])
const graceMs = Number(process.argv[3])
let untilNs: bigint | undefined
let timer: NodeJS.Timeout | undefined
let rest = ''

function end(signal: NodeJS.Signals): void {
  try {
    process.kill(-pgid, signal)
  } catch {
    process.exit(0)
  }
}

/** Everything that has a moment, at its moment: asked to end with time to do so, and ended when there is none left. */
function look(): void {
  clearTimeout(timer)
  if (untilNs === undefined) return
  const leftMs = Number((untilNs - process.hrtime.bigint()) / MS)
  if (leftMs <= 0) {
    end('SIGKILL')
    process.exit(0)
  }
  if (leftMs <= graceMs) end('SIGTERM')
  timer = setTimeout(look, leftMs <= graceMs ? leftMs : leftMs - graceMs)
}

process.stdin.setEncoding('utf8').on('data', (text: string) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop() ?? ''
  const last = lines.at(-1)
  if (last === undefined) return
  if (lines.includes('done')) process.exit(0)
  untilNs = BigInt(last)
  look()
})
// The one that keeps the lease is gone: nobody renews it any more.
process.stdin.on('end', () => {
  const soonNs = process.hrtime.bigint() + BigInt(Math.round(graceMs)) * MS
  untilNs = untilNs === undefined || soonNs < untilNs ? soonNs : untilNs
  look()
})
