import { FlotillaError } from '../core/errors.ts'
import { type Progress, Rate } from '../core/sync/progress.ts'
import type { Summary } from '../core/sync/summary.ts'
import { cleanLine } from '../lib/clean.ts'
import type { Context } from './context.ts'
import { plural, span } from './format.ts'

const DRAW_MS = 200
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `1.5 MiB`. */
export function size(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)))
  const value = bytes / 1024 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`
}

/** One line on a terminal that says how far it is; nothing elsewhere. */
export function progressLine({ output, clock }: Context): (progress: Progress) => void {
  const rate = new Rate()
  let drawnMs = Number.NEGATIVE_INFINITY
  return ({ files, bytes, filesDone, bytesDone, isListed }) => {
    const nowMs = clock.monotonicMs()
    if (nowMs - drawnMs < DRAW_MS) return
    drawnMs = nowMs
    rate.mark(nowMs, bytesDone)
    const leftMs = isListed ? rate.remainingMs(bytes - bytesDone) : undefined
    const end = leftMs === undefined ? '' : `, ${span(leftMs)} left`
    const of = isListed ? '' : ' so far'
    output.progress(
      `${filesDone} of ${plural(files, 'file')}${of}, ${size(bytesDone)} of ${size(bytes)}, ${size(rate.bytesPerSecond)}/s${end}`,
    )
  }
}

/** What a round did, in words. */
export function printSummary(summary: Summary, isDry: boolean, { output }: Context): void {
  const { fetched, travelled, bytes, adopted, touched, deleted, held, durationMs, flipped, staged } = summary
  const done = [
    [
      fetched,
      isDry
        ? 'would be fetched'
        : `fetched (${size(bytes)}${travelled < bytes ? `, ${size(travelled)} of it travelled` : ''})`,
    ],
    [adopted, 'found here as they are'],
    [touched, 'given their time'],
    [deleted, isDry ? 'would be deleted' : 'deleted'],
    [held, 'held back: other files of their model are missing'],
    [flipped.length, 'groups shown'],
    [staged.length, 'groups wait to be shown'],
  ] as const
  const told = done.filter(([count]) => count > 0).map(([count, words]) => `${count} ${words}`)
  const nothing =
    summary.refused !== undefined ? 'nothing deleted' : summary.failed > 0 ? 'nothing brought over' : 'nothing to do'
  output.print(`${told.length === 0 ? nothing : told.join(', ')} (${(durationMs / 1000).toFixed(2)} s)`)
  for (const { key, message } of summary.failures)
    output.note(`${output.paint('red', 'failed')} ${cleanLine(`${key}: ${message}`)}`)
}

/** What is wrong after a round, if anything. */
export function faultOf({ refused, failed, held, failures }: Summary): FlotillaError | undefined {
  if (refused !== undefined) return refused
  if (failed + held === 0) return undefined
  return new FlotillaError('FILES_INCOMPLETE', `${plural(failed + held, 'file')} could not be brought over`, {
    hint: failures.some(({ code }) => code === 'DISK_FULL')
      ? 'Make room, or take less, and run it again: it goes on where it was.'
      : 'The others are there. Run it again.',
  })
}
