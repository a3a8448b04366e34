import type { ExitCode } from '../../core/errors.ts'
import { treeOption } from '../../core/status.ts'
import { CATALOG } from '../catalog-options.ts'
import { command } from '../command.ts'
import { withHub } from '../connect.ts'
import { followRollout } from '../follow-rollout.ts'
import { strategyText } from '../rollout-view.ts'
import { SETTINGS, settingsOf } from '../strategy.ts'
import { WAIT, waitMs } from '../wait.ts'

/** A reload is an outage of the whole node, whatever it is for. */
const RELOAD = { kind: 'reload', flag: 'hard' } as const

export const catalogReload = command({
  arguments: [],
  options: { ...WAIT, ...SETTINGS, ...CATALOG },
  details:
    'For what lies on disk and was not read, and for releases that wait for a reload. While a GeoServer reads its catalog it ' +
    'answers maps with errors, so the proxies send a node no requests meanwhile, and the next one begins when it is proved. ' +
    'It makes no release. With --wait the exit code is 0 done, 4 stopped because a node could not prove it, 3 under way.',
  examples: ['flotilla catalog reload --wait', 'flotilla catalog reload --drain never'],
  async run({ options }, context) {
    const { tree, json } = options
    const { output, signal } = context
    const strategy = { drain: 'always' as const, ...settingsOf(options) }
    const timeoutMs = waitMs(options)
    return withHub<ExitCode>(options, context, async (hub) => {
      const answer = await hub.client.startRollout(tree, { requests: RELOAD, strategy }, { signal })
      const { rollout } = answer
      if (json) output.json('rollout', answer)
      else {
        output.print('every GeoServer reads its catalog anew, one after the other')
        if (rollout !== undefined) output.print(strategyText(rollout.strategy))
        output.print(`stop it: flotilla rollout abort${treeOption(tree)}`)
      }
      if (timeoutMs === undefined || rollout === undefined) return 0
      return followRollout({ tree, which: { startedAtMs: rollout.startedAtMs }, timeoutMs, json }, hub, context)
    })
  },
})
