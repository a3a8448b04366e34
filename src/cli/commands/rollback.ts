import { FlotillaError, isError } from '../../core/errors.ts'
import { baseOf, type ReleaseRecord } from '../../core/release.ts'
import { treeOption } from '../../core/status.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { parseRelease } from '../format.ts'
import { tellRelease } from '../release-view.ts'
import { STRATEGY, strategyOf } from '../strategy.ts'
import { WAIT, waitForChange, waitMs } from '../wait.ts'

export const rollback = command({
  arguments: [
    { name: 'RELEASE', summary: 'such as r11; without it the one before what is served now', optional: true },
  ],
  options: {
    message: { type: 'value', placeholder: 'TEXT', summary: 'why', short: 'm' },
    ...WAIT,
    ...STRATEGY,
    ...TREE,
    ...CLIENT,
  },
  details:
    'Makes a new release with the contents of an earlier one, so the way back is a way forward again. Typed again it goes ' +
    'back one release further. Refused when somebody else releases at the same moment. It goes out as every release does: ' +
    'where the tree has a policy and there is no time for it, add --all-at-once.',
  examples: ['flotilla rollback', 'flotilla rollback r11 -m "bad units" --wait'],
  async run({ args, options }, context) {
    const { tree, json, message } = options
    const timeoutMs = waitMs(options)
    const strategy = strategyOf(options)
    return withHub(options, context, async (hub) => {
      const { signal } = context
      const current = await currentRelease(tree, hub, context)
      const base = current.number
      const to = args.RELEASE === undefined ? await previous(current, hub, context) : parseRelease(args.RELEASE)
      const backTo = json ? undefined : await hub.client.releaseRecord(tree, to, { signal }).catch(unlessForbidden)
      const answer = await hub.client.rollback(tree, { to, base, message, strategy }, { signal })
      tellRelease(answer, { previous: base, json, backTo }, context)
      return waitForChange(answer, { timeoutMs, json }, hub, context)
    })
  },
})

async function currentRelease(tree: string, hub: Hub, { signal }: Context): Promise<ReleaseRecord> {
  const { desired } = await hub.client.status(tree, { signal })
  if (desired !== undefined) return desired
  throw new FlotillaError('NOT_FOUND', `nothing has been released in ${tree} yet`, {
    hint: `flotilla datasets release DIR -m "first release"${treeOption(tree)}`,
  })
}

/** The release before the one whose contents are current: a rollback is a release too, but has none of its own. */
async function previous(current: ReleaseRecord, hub: Hub, { signal }: Context): Promise<number> {
  let origin = current
  while (origin.rollbackTo !== undefined) {
    origin = await hub.client.releaseRecord(current.tree, origin.rollbackTo, { signal })
  }
  if (baseOf(origin) > 0) return baseOf(origin)
  const what =
    origin === current ? 'r1 is the first release' : `r${current.number} has the contents of r1, the first release`
  throw new FlotillaError('NOT_FOUND', `${what}: there is none before it`, {
    hint: 'Name the release whose contents you want, as in `flotilla rollback r2`; `flotilla history` lists them.',
  })
}

/** A token may be allowed to make releases and not to read them. */
function unlessForbidden(error: unknown): undefined {
  if (!isError(error, 'FORBIDDEN')) throw error
}
