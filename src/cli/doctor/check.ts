import { isError, messageOf } from '../../core/errors.ts'

export type Verdict = 'ok' | 'warn' | 'fail'

export interface Finding {
  readonly verdict: Verdict
  readonly message: string
  /** What to do about it; for `warn` and `fail`. */
  readonly fix?: string | undefined
}

/** One thing the doctor looks at. Whatever it throws counts as a failure: it must never end the examination. */
export interface Check {
  readonly group: string
  readonly name: string
  /** Other checks of the group: where one of them failed, this one would only repeat it and is left out. */
  readonly needs?: readonly string[]
  readonly run: () => Promise<Finding>
}

export interface Checked extends Finding {
  readonly group: string
  readonly name: string
}

const TIME_MS = 10_000

/** One after the other, so that the answer is in the order of the list and nothing disturbs anything else. */
export async function examine(
  checks: readonly Check[],
  onChecked: (checked: Checked) => void,
): Promise<readonly Checked[]> {
  const all: Checked[] = []
  const lacking = new Set<string>()
  for (const { group, name, needs = [], run } of checks) {
    if (needs.some((need) => lacking.has(`${group}/${need}`))) {
      lacking.add(`${group}/${name}`)
      continue
    }
    const checked = { group, name, ...(await inTime(run)) }
    if (checked.verdict === 'fail') lacking.add(`${group}/${name}`)
    all.push(checked)
    onChecked(checked)
  }
  return all
}

export function ok(message: string): Finding {
  return { verdict: 'ok', message }
}

export function warn(message: string, fix: string): Finding {
  return { verdict: 'warn', message, fix }
}

export function fail(message: string, fix: string): Finding {
  return { verdict: 'fail', message, fix }
}

async function inTime(run: () => Promise<Finding>): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>((resolve) => {
    const fix = 'A hanging network share or server does this; look at what it says it reads.'
    timer = setTimeout(() => resolve(fail(`no answer within ${TIME_MS / 1000} s`, fix)), TIME_MS)
  })
  try {
    return await Promise.race([run(), late])
  } catch (error) {
    return fail(messageOf(error), (isError(error) && error.details.hint) || 'The message says what is wrong.')
  } finally {
    clearTimeout(timer)
  }
}
