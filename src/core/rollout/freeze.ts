import type { FreezeWindow } from '../rollout.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** 1970-01-01 was a Thursday. */
const FIRST_DAY = 4
/** What is frozen for longer than this is frozen for ever: windows repeat after a week. */
const FOREVER_MS = 8 * DAY_MS

/**
 * Until when no wave may begin; undefined when one may begin now, infinite when the windows leave no gap. Windows that
 * overlap or follow each other without a break are one. A window that ends at the time it starts lasts a day.
 */
export function frozenUntil(windows: readonly FreezeWindow[], nowMs: number): number | undefined {
  let untilMs = nowMs
  for (;;) {
    const ends = windows.flatMap((window) => endOf(window, untilMs) ?? [])
    if (ends.length === 0) break
    untilMs = Math.max(...ends)
    if (untilMs - nowMs > FOREVER_MS) return Number.POSITIVE_INFINITY
  }
  return untilMs === nowMs ? undefined : untilMs
}

/** When the window that `atMs` lies in ends. It began today, or yesterday and goes over midnight. */
function endOf({ days, from, to }: FreezeWindow, atMs: number): number | undefined {
  const today = Math.floor(atMs / DAY_MS)
  const lengthMs = minutesOf(to) - minutesOf(from) + (minutesOf(to) <= minutesOf(from) ? DAY_MS : 0)
  for (const day of [today, today - 1]) {
    const startMs = day * DAY_MS + minutesOf(from)
    const isDay = days.includes((((day + FIRST_DAY) % 7) + 7) % 7)
    if (isDay && atMs >= startMs && atMs < startMs + lengthMs) return startMs + lengthMs
  }
  return undefined
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number)
  return (hours * 60 + minutes) * MINUTE_MS
}
