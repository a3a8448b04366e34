import type { FileLook, StoreLook } from '../../app/store-look.ts'
import type { Context } from '../context.ts'
import { plural, span } from '../format.ts'
import { etcdSettings } from '../store-places.ts'
import { size } from '../sync-view.ts'
import { type Check, fail, type Finding, ok, warn } from './check.ts'

const FILE_GROUP = 'store'
const WAL_WARN_BYTES = 256 * 1024 * 1024
/** The most a store in a file takes, and etcd unless it is told otherwise. */
const FILE_BYTES_MAX = 4096 * 1024 * 1024
const QUOTA_BYTES = 2 * 1024 * 1024 * 1024
const FULL_WARN = 0.7
const FULL_FAIL = 0.9
/** The Date header is exact to a second. */
const CLOCKS_WARN_MS = 2000
const LAG_MAX = 1000
const PAGE = 'docs/how-to/run-on-etcd.md'

/** Of a store in a file, in the data folder of a hub on this machine. */
export function fileChecks(data: string): readonly Check[] {
  let looked: Promise<FileLook | undefined> | undefined
  const look = (): Promise<FileLook | undefined> =>
    (looked ??= import('../../app/store-look.ts').then(async ({ lookAtFile }) => await lookAtFile(data)))
  return [
    { group: FILE_GROUP, name: 'file', run: async () => fileFinding(await look()) },
    { group: FILE_GROUP, name: 'log', needs: ['file'], run: async () => walFinding(await look()) },
  ]
}

/** Of an etcd, asked from here. */
export function etcdChecks(address: string, config: string | undefined, context: Context): readonly Check[] {
  let looked: Promise<StoreLook> | undefined
  const look = (): Promise<StoreLook> =>
    (looked ??= (async () => {
      const { withSharedStore } = await import('../../app/store-look.ts')
      const settings = { ...(await etcdSettings(config, context)), clock: context.clock }
      return await withSharedStore(address, settings, (store) => store.look())
    })())
  const group = `store ${address}`
  const check = (name: string, needs: readonly string[], find: (look: StoreLook) => Finding): Check => ({
    group,
    name,
    needs,
    run: async () => find(await look()),
  })
  return [
    check('members', [], membersFinding),
    check('leader', ['members'], leaderFinding),
    check('alarms', ['members'], alarmsFinding),
    check('room', ['members'], roomFinding),
    check('revisions', ['members'], revisionsFinding),
  ]
}

export function fileFinding(look: FileLook | undefined): Finding {
  if (look === undefined) return ok('none here: the hub keeps its state in an etcd, or has not started yet')
  const { state, problem = '', bytes, path } = look
  if (state === 'damaged') {
    return fail(
      `${path} is damaged: ${problem}`,
      'Stop the hub, move the file away, then: flotilla store restore FILE --to DIR. See docs/how-to/operate.md.',
    )
  }
  const text = `${size(bytes)}, ${state === 'running' ? 'held by a hub that has looked at it' : 'whole'}`
  return bytes > FULL_WARN * FILE_BYTES_MAX
    ? warn(
        `${text}, of ${size(FILE_BYTES_MAX)} at most`,
        `Move the state to an etcd: flotilla store copy. See ${PAGE}.`,
      )
    : ok(text)
}

export function walFinding(look: FileLook | undefined): Finding {
  const { walBytes = 0 } = look ?? {}
  const text = `${size(walBytes)} not in the file itself yet`
  return walBytes > WAL_WARN_BYTES
    ? warn(text, 'Restart the hub, which takes it in. A disk that is too slow lets it grow again: look at its load.')
    : ok(text)
}

export function membersFinding({ members }: StoreLook): Finding {
  const away = members.filter(({ error }) => error !== undefined)
  const text = `${members.length - away.length} of ${members.length} answer`
  const [first] = away
  if (first === undefined) return ok(text)
  const why = `${text}; ${first.url}: ${first.error}`
  const fix = `Start etcd there, and look at its log: journalctl -u etcd. See ${PAGE}.`
  return away.length * 2 < members.length ? warn(why, fix) : fail(why, fix)
}

export function leaderFinding({ members }: StoreLook): Finding {
  const leaders = members.filter(({ isLeader }) => isLeader)
  if (leaders.length === 1) return ok(leaders[0]?.url ?? '')
  const isNamed = members.every(({ error }) => error === undefined)
  return isNamed
    ? fail(
        'no member that is named leads',
        `Name every member in \`store\`, and see: etcdctl endpoint status. See ${PAGE}.`,
      )
    : warn('the leader is not among those that answer', `Bring the others back. See ${PAGE}.`)
}

export function alarmsFinding({ alarms }: StoreLook): Finding {
  if (alarms.length === 0) return ok('none')
  return fail(
    alarms.join(', '),
    alarms.some((alarm) => alarm.startsWith('NOSPACE'))
      ? `etcd takes no writes: etcdctl defrag, then etcdctl alarm disarm, or a larger --quota-backend-bytes. See ${PAGE}.`
      : `A member’s data is damaged: replace that member, as etcd’s guide to corruption says. See ${PAGE}.`,
  )
}

export function roomFinding({ members }: StoreLook): Finding {
  const share = (one: StoreLook['members'][number]): number => (one.dbBytes ?? 0) / (one.quotaBytes ?? QUOTA_BYTES)
  const [fullest] = members.filter(({ error }) => error === undefined).toSorted((a, b) => share(b) - share(a))
  if (fullest === undefined) return fail('no member says', `See ${PAGE}.`)
  const { dbBytes = 0, usedBytes = 0, quotaBytes } = fullest
  const quota = `${size(quotaBytes ?? QUOTA_BYTES)}${quotaBytes === undefined ? ' (etcd’s default; it does not say)' : ''}`
  const text = `${size(dbBytes)} of ${quota}, ${size(usedBytes)} of it in use`
  if (share(fullest) < FULL_WARN) return ok(text)
  const fix = `etcdctl defrag gives back what is not in use; or start etcd with a larger --quota-backend-bytes. See ${PAGE}.`
  return share(fullest) < FULL_FAIL ? warn(text, fix) : fail(text, fix)
}

/** Members that lag far behind serve old watches; a majority is never behind by more than what is under way. */
export function revisionsFinding({ revision, members }: StoreLook): Finding {
  const first = members.find((one) => one.revision !== undefined && revision - one.revision > LAG_MAX)
  if (first === undefined) return ok(`at ${revision}, every member that answers as well`)
  return warn(
    `${first.url} is at ${first.revision}, the others at ${revision}`,
    `Its disk or network is too slow: etcdctl check perf, and its log. See ${PAGE}.`,
  )
}

/** Of several hubs over one store: leases and fences do not go by clocks, but times that are shown do, and freeze windows. */
export function clocksFinding(times: readonly { readonly url: string; readonly ms: number }[]): Finding {
  const known = times.filter(({ ms }) => !Number.isNaN(ms)).toSorted((a, b) => a.ms - b.ms)
  const [first, last] = [known[0], known.at(-1)]
  if (first === undefined || last === undefined)
    return warn('no hub tells its time', 'A proxy may remove the Date header.')
  const apart = last.ms - first.ms
  const text = `${plural(known.length, 'hub')}, ${span(apart)} apart at most`
  return apart <= CLOCKS_WARN_MS ? ok(text) : warn(`${text}: ${last.url} is ahead`, 'Run chrony or ntpd on each.')
}
