import type { OpenedSync, SyncDeps } from '../../app/sync.ts'
import { type ExitCode, messageOf } from '../../core/errors.ts'
import type { Summary } from '../../core/sync/summary.ts'
import type { Logger } from '../../core/log.ts'
import { clean, cleanLine } from '../../lib/clean.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { renderError } from '../errors.ts'
import { SYNC_OPTIONS } from '../sync-options.ts'
import { type SyncOptions, SyncPlan } from '../sync-plan.ts'
import { faultOf, printSummary, progressLine } from '../sync-view.ts'

const MINUTE_MS = 60_000

export const sync = command({
  arguments: [
    { name: 'DOMAINS', summary: 'models of Open-Meteo: dwd_icon,gfs013; otherwise SYNC_DOMAINS', optional: true },
    { name: 'VARIABLES', summary: 'temperature_2m,precipitation; otherwise SYNC_VARIABLES', optional: true },
  ],
  options: SYNC_OPTIONS,
  details:
    'Brings over what is new or changed, verified, and shows each file only when it is whole. Goes on after any interruption where ' +
    'it was. Deletes nothing unless told. With DOMAINS and VARIABLES it takes the place of `openmeteo-api sync`, with its options and ' +
    'its environment: SYNC_ENABLED, SYNC_APIKEY, SYNC_SERVER, SYNC_DOMAINS, SYNC_VARIABLES, SYNC_PAST_DAYS, SYNC_CONCURRENT, ' +
    'SYNC_CONCURRENT_MODELS, SYNC_REPEAT_INTERVAL and DATA_DIRECTORY.',
  examples: [
    'flotilla sync --from http://node1:8480/data --to /data --watch',
    'flotilla sync --from s3://bucket/folder --to /data --delete --dry-run',
    'flotilla sync dwd_icon,dwd_icon_d2 temperature_2m,precipitation --past-days 3 --repeat-interval 10',
  ],
  async run({ args, options }, context) {
    const plan = new SyncPlan(options, args, context)
    if (!plan.isEnabled) {
      if (options.json) context.output.json('sync', { disabled: true })
      else context.output.print('SYNC_ENABLED is false: nothing is done')
      return 0
    }
    const syncs = await open(plan, options, context)
    try {
      const code = await (plan.repeatMs === undefined && !options.watch
        ? once(syncs, options, context)
        : again(syncs, plan, options, context))
      return code
    } finally {
      await Promise.all(syncs.map(async (one) => one.close()))
    }
  },
})

async function open(plan: SyncPlan, options: SyncOptions, context: Context): Promise<readonly OpenedSync[]> {
  const { output, clock, env, signal } = context
  const [{ openSync }, specs] = await Promise.all([import('../../app/sync.ts'), plan.specs()])
  const deps: SyncDeps = { clock, env, signal, log: logOf(context) }
  const says = options.json || options.dryRun
  const manner = {
    ...plan.manner,
    ...(!options.json && output.err.columns !== undefined && { onProgress: progressLine(context) }),
    ...(says && {
      onFile: ({ action, key, size }: { readonly action: string; readonly key: string; readonly size: number }) => {
        if (options.json) output.json('sync-file', { action, key, size })
        else output.print(cleanLine(`${action} ${key}`))
      },
    }),
  }
  return Promise.all(specs.map(async (spec) => openSync(spec, manner, deps)))
}

/** Rejects with what is wrong in the end, after all that could be done is done. */
async function once(syncs: readonly OpenedSync[], options: SyncOptions, context: Context): Promise<ExitCode> {
  const ended = await Promise.allSettled(syncs.map(async (one) => one.round(context.signal)))
  const faults: unknown[] = []
  for (const [index, round] of ended.entries()) {
    if (round.status === 'rejected') faults.push(round.reason)
    else {
      if (options.json) context.output.json('sync', round.value)
      else if (round.value.complete && round.value.listed === 0 && syncs[index]?.totals().files === 0)
        context.output.print(`nothing to do: no files at ${syncs[index].name}`)
      else printSummary(round.value, options.dryRun, context)
      const fault = faultOf(round.value)
      if (fault !== undefined) faults.push(fault)
    }
  }
  for (const fault of faults.slice(1)) renderError(fault, context.output, { json: options.json, debug: false })
  if (faults.length > 0) throw faults[0]
  return 0
}

/** Until it is told to stop. */
async function again(
  syncs: readonly OpenedSync[],
  plan: SyncPlan,
  options: SyncOptions,
  context: Context,
): Promise<ExitCode> {
  const { output, signal } = context
  const form = { json: options.json, debug: false }
  const follow = async (one: OpenedSync): Promise<void> =>
    one.run(signal, {
      repeatMs: plan.repeatMs ?? MINUTE_MS,
      watch: options.watch,
      onRound: (summary) => {
        if (options.json) output.json('sync', summary)
        else if (hasNews(summary)) printSummary(summary, options.dryRun, context)
        const fault = faultOf(summary)
        if (fault !== undefined) renderError(fault, output, form)
      },
      onError: (error) => renderError(error, output, form),
    })
  await Promise.all(syncs.map(follow))
  return 0
}

function hasNews({ fetched, adopted, touched, deleted, flipped, staged }: Summary): boolean {
  return fetched + adopted + touched + deleted + flipped.length + staged.length > 0
}

/** For people: what goes wrong on the way. Loading a logger would take as long as a round without changes. */
function logOf({ output }: Context): Logger {
  const note: Logger['warn'] = (message, { source, error } = {}) => {
    const where = typeof source === 'string' ? `: ${source}` : ''
    output.note(clean(`${message}${where}${error === undefined ? '' : `: ${messageOf(error)}`}`))
  }
  return { debug() {}, info() {}, warn: note, error: note }
}
