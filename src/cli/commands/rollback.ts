import { FlotillaError } from '../../core/errors.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { parseRelease } from '../format.ts'
import { tellRelease } from '../release-view.ts'
import { WAIT, waitForNodes, waitMs } from '../wait.ts'

export const rollback = command({
  arguments: [{ name: 'RELEASE', summary: 'such as r11; without it the one before the current', optional: true }],
  options: {
    message: { type: 'value', placeholder: 'TEXT', summary: 'why', short: 'm' },
    ...WAIT,
    ...TREE,
    ...CLIENT,
  },
  details:
    'Makes a new release with the contents of an earlier one, so the way back is a way forward again. Refused when ' +
    'somebody else releases at the same moment.',
  examples: ['flotilla rollback', 'flotilla rollback r11 -m "bad units" --wait'],
  async run({ args, options }, context) {
    const { tree, json, message } = options
    const timeoutMs = waitMs(options)
    return withHub(options, context, async (hub) => {
      const base = await currentRelease(tree, hub, context)
      const to = args.RELEASE === undefined ? previous(base) : parseRelease(args.RELEASE)
      const answer = await hub.client.rollback(tree, { to, base, message }, { signal: context.signal })
      tellRelease(answer, { previous: base, json }, context)
      if (timeoutMs === undefined) return 0
      return waitForNodes({ tree, timeoutMs, json: options.json, release: answer.release.number }, hub, context)
    })
  },
})

async function currentRelease(tree: string, hub: Hub, { signal }: Context): Promise<number> {
  const { desired } = await hub.client.status(tree, { signal })
  if (desired !== undefined) return desired.number
  throw new FlotillaError('NOT_FOUND', `nothing has been released in ${tree} yet`, {
    hint: 'flotilla datasets release DIR -m "first release"',
  })
}

function previous(current: number): number {
  if (current > 1) return current - 1
  throw new FlotillaError('NOT_FOUND', `r${current} is the first release: there is none before it`)
}
