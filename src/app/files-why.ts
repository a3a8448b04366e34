import type { FilesTarget } from '../config/agent.ts'
import type { Clock } from '../core/clock.ts'
import type { PullWhy } from '../core/files/peer-look.ts'
import type { NodeFiles } from '../core/files/report.ts'
import { anyMatches } from '../core/sync/glob.ts'
import { select } from '../core/sync/selection.ts'
import { pastDays } from '../core/sync/times.ts'
import { wantedOf } from './files-puller.ts'

interface Question {
  readonly key: string
  readonly target: FilesTarget
  readonly report: NodeFiles
}

/** Why a file that a node should pull from elsewhere is here, or is not. */
export function whyPulled({ key, target, report }: Question, clock: Clock): PullWhy {
  const { state, from = target.from.join(', '), failed = [], error, pending } = report
  const base = { state, from }
  const rule = ruleOf(key, target, clock)
  if (rule !== undefined) return { ...base, ...rule }
  const own = failed.find((one) => one.key === key)
  const message =
    own !== undefined
      ? `it could not be pulled: ${own.message} (${own.code})`
      : error !== undefined
        ? `nothing can be pulled: ${error.message}`
        : state === 'in-step'
          ? 'everything that the source has and that is wanted is here'
          : `it may be among ${pending?.files ?? 'those'} files that are still to come`
  return { ...base, wanted: 'wanted', message }
}

/** The rule that leaves the file out. */
function ruleOf(key: string, target: FilesTarget, clock: Clock): Pick<PullWhy, 'wanted' | 'message'> | undefined {
  const wanted = wantedOf(target)
  if ('models' in wanted) {
    const [model = '', variable = ''] = key.replace(/^data\//, '').split('/')
    if (!wanted.models.domains.includes(model)) return left(`the model ${model} is not in \`domains\``)
    const isWanted =
      variable === 'static' || wanted.models.variables.some((one) => variable === one || one.startsWith('really_'))
    return isWanted ? undefined : left(`the variable ${variable} is not in \`variables\``)
  }
  const { prefixes = [], include = [], exclude = [], days } = wanted
  if (prefixes.length > 0 && !prefixes.some((prefix) => key.startsWith(prefix)))
    return left('no prefix of it is in `prefixes`')
  if (include.length > 0 && !anyMatches(include, key)) return left('no pattern of `include` means it')
  const excluded = exclude.find((one) => one.matches(key))
  if (excluded !== undefined) return left(`the pattern ${excluded.text} of \`exclude\` means it`)
  if (days === undefined) return undefined
  const span = pastDays(days, clock.nowMs())
  const verdict = select({ span }).judge({ key, modifiedMs: clock.nowMs() })
  return verdict === 'unwanted' ? { wanted: 'unwanted', message: `it is older than ${days} days` } : undefined
}

function left(message: string): Pick<PullWhy, 'wanted' | 'message'> {
  return { wanted: 'not-covered', message }
}
