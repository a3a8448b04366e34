import type { Outcome } from '../../core/api-rollout.ts'
import type { ReleaseRecord } from '../../core/release.ts'
import { FlotillaError } from '../../core/errors.ts'
import { outcomeText } from '../../core/rollout-words.ts'
import { treeOption } from '../../core/status.ts'
import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { ago } from '../format.ts'
import { table } from '../output.ts'

export const history = command({
  arguments: [],
  options: { ...TREE, limit: { type: 'value', placeholder: 'N', summary: 'how many', fallback: '20' }, ...CLIENT },
  examples: ['flotilla history', 'flotilla history --limit 100 --json'],
  async run({ options }, context) {
    const { output, clock, signal } = context
    const limit = Number(options.limit)
    if (!Number.isInteger(limit) || limit < 1) {
      throw new FlotillaError('USAGE', `--limit takes a number from 1 on, not "${options.limit}"`)
    }
    const answer = await withHub(options, context, ({ client }) => client.history(options.tree, limit, { signal }))
    if (options.json) output.json('history', answer)
    else if (answer.releases.length === 0) {
      output.print(
        `nothing has been released yet\n\nnext: flotilla datasets release DIR -m "first release"${treeOption(options.tree)}`,
      )
    } else {
      const { outcomes = {} } = answer
      const rows = answer.releases.map((release) => rowOf(release, outcomes[String(release.number)], clock.nowMs()))
      table(output, ['RELEASE', 'WHEN', 'BY', 'DATASETS', 'CHANGES', 'MESSAGE'], rows)
    }
    return 0
  },
})

function rowOf(release: ReleaseRecord, outcome: Outcome | undefined, nowMs: number): string[] {
  const { added, removed, changed } = release.changes
  const back = `back to r${release.rollbackTo}`
  const kept = release.quarantined?.length ?? 0
  const notes = [
    release.message,
    ...(release.rollbackTo === undefined || release.message === back ? [] : [`(${back})`]),
    ...(outcome === undefined ? [] : [`(${outcomeText(outcome)})`]),
    ...(kept === 0 ? [] : [`(${kept} quarantined)`]),
  ]
  return [
    `r${release.number}`,
    ago(release.atMs, nowMs),
    release.author,
    String(release.items),
    `+${added} -${removed} ~${changed}`,
    notes.join(' '),
  ]
}
