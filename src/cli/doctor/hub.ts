import { HubClient } from '../../client/hub-client.ts'
import type { NodeAnswer, StatusAnswer, TokenInfo } from '../../core/api.ts'
import type { BusHealth } from '../../core/bus.ts'
import { renderedStatusOf } from '../../core/templates/report.ts'
import { originsOf } from '../../lib/http-several.ts'
import { isLoopbackHost } from '../../lib/loopback.ts'
import type { Secret } from '../../lib/secret.ts'
import { shellWord } from '../../lib/shell-word.ts'
import type { Context } from '../context.ts'
import { plural, span } from '../format.ts'
import { type Check, fail, type Finding, ok, warn } from './check.ts'
import { clocksFinding } from './store.ts'

interface HubOptions {
  readonly url: string
  /** Rejects with why there is none. */
  readonly token: () => Promise<Secret>
  readonly tree: string
}

const GROUP = 'hub'
const SILENCE_MS = 5000
const CLOCK_WARN_MS = 5000
const CLOCK_FAIL_MS = 60_000
const EXPIRY_WARN_MS = 14 * 86_400_000

/** What can be seen of a hub from outside. */
export function hubChecks({ url, token, tree }: HubOptions, context: Context): readonly Check[] {
  const { clock, signal } = context
  const ask = <T>(use: (client: HubClient) => Promise<T>, secret?: Secret): Promise<T> => asking(url, secret, use)
  const askAs = async <T>(use: (client: HubClient) => Promise<T>): Promise<T> => await ask(use, await token())
  // Several checks look at the same answer.
  let answered: Promise<readonly NodeAnswer[]> | undefined
  const allNodes = () => (answered ??= askAs(async (client) => (await client.nodes({ signal })).nodes))
  let told: Promise<StatusAnswer> | undefined
  const status = () => (told ??= askAs(async (client) => await client.status(tree, { signal })))
  return [
    check('answers', [], async () => {
      await ask((client) => client.ready({ signal }))
      return ok(`${url} is ready`)
    }),
    check('connection', [], () => Promise.resolve(connectionFinding(url))),
    check('clock', ['answers'], async () =>
      clockFinding(await hubTimeMs(originsOf(url)[0] ?? url, signal), clock.nowMs()),
    ),
    ...severalHubs(url, signal),
    check('token file', [], async () => {
      await token()
      return ok('readable, and by nobody else')
    }),
    check('token', ['answers', 'token file'], async () =>
      tokenFinding(await askAs(async (client) => await client.whoami({ signal })), clock.nowMs()),
    ),
    check('nodes', ['token'], async () => {
      const nodes = await allNodes()
      const lost = nodes.filter(({ liveness }) => liveness === 'lost').map(({ node }) => node)
      if (nodes.length === 0) return warn('no node has joined yet', 'flotilla token join-code')
      if (lost.length === 0) return ok(`all ${nodes.length} alive`)
      return fail(
        `lost: ${lost.join(', ')}`,
        'Start the agent there; for one that is gone for good: flotilla nodes forget NODE',
      )
    }),
    check('proxies', ['token'], async () => proxiesFinding(await allNodes())),
    check('rendered files', ['token'], async () => renderedFinding(await allNodes())),
    check('in step', ['token'], async () => {
      const { state, summary, next = 'flotilla status', trees = [] } = await status()
      // Whoever has only a GeoServer has nothing in the tree of datasets.
      if (state === 'empty' && trees.length > 0) return warn(summary, `flotilla doctor --tree ${trees[0]}`)
      return state === 'in-step' ? ok(summary) : warn(summary, next)
    }),
    check('GeoServer', ['token'], async () => geoserverFinding(await status(), await allNodes())),
    check('hints', ['token'], async () => busFinding((await status()).bus, clock.nowMs())),
  ]
}

/** Only where several are named. */
function severalHubs(url: string, signal: AbortSignal): readonly Check[] {
  const urls = originsOf(url)
  if (urls.length < 2) return []
  const time = async (one: string) => ({ url: one, ms: await hubTimeMs(one, signal).catch(() => NaN) })
  return [check('clocks', ['answers'], async () => clocksFinding(await Promise.all(urls.map(time))))]
}

async function asking<T>(url: string, token: Secret | undefined, use: (client: HubClient) => Promise<T>): Promise<T> {
  const client = new HubClient({ url, token, silenceMs: SILENCE_MS })
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

function check(name: string, needs: readonly string[], run: () => Promise<Finding>): Check {
  return { group: GROUP, name, needs, run }
}

function connectionFinding(url: string): Finding {
  const { protocol, hostname } = new URL(originsOf(url)[0] ?? url)
  if (protocol === 'https:' || isLoopbackHost(hostname))
    return ok(protocol === 'https:' ? 'encrypted' : 'on this machine')
  return warn(
    `your token travels unencrypted to ${hostname}`,
    'Put TLS in front of the hub, or use a VPN or an SSH tunnel.',
  )
}

/** From the Date header, which is exact to a second. */
async function hubTimeMs(url: string, signal: AbortSignal): Promise<number> {
  const answer = await fetch(`${url.replace(/\/$/, '')}/healthz`, { signal, redirect: 'error' })
  await answer.body?.cancel()
  return Date.parse(answer.headers.get('date') ?? '')
}

export function clockFinding(hubMs: number, hereMs: number): Finding {
  if (Number.isNaN(hubMs))
    return warn('the hub does not tell its time', 'A proxy in between may remove the Date header.')
  const offMs = Math.abs(hereMs - hubMs)
  if (offMs <= CLOCK_WARN_MS) return ok('like the hub')
  const text = `differs from the hub by ${span(offMs)}`
  return offMs > CLOCK_FAIL_MS ? fail(text, 'Set the clock; run chrony or ntpd.') : warn(text, 'Run chrony or ntpd.')
}

/** A drain waits for every proxy that there is, also for one that cannot take it over any more. */
function proxiesFinding(nodes: readonly NodeAnswer[]): Finding {
  const all = nodes.flatMap(({ node, liveness, proxies = {} }) =>
    Object.entries(proxies).map(([name, { state, error }]) => {
      return { name: `${name} on ${node}`, isLost: liveness === 'lost', state, error }
    }),
  )
  if (all.length === 0) return ok('none: changes go out without draining')
  const failed = all.find(({ state, isLost }) => state === 'failed' && !isLost)
  if (failed !== undefined) {
    return fail(`${failed.name}: ${failed.error ?? 'failed'}`, 'There: flotilla proxy check. It keeps what it had.')
  }
  const lost = all.filter(({ isLost }) => isLost).map(({ name }) => name)
  if (lost.length === 0) return ok(`all ${all.length} in step`)
  return fail(
    `lost: ${lost.join(', ')}`,
    'Start the agent there; rollouts wait for it. Gone for good: flotilla nodes forget NODE',
  )
}

/** What several GeoServers must have alike. A keystore is seen by what it cannot decrypt. */
export function geoserverFinding({ tree }: Pick<StatusAnswer, 'tree'>, nodes: readonly NodeAnswer[]): Finding {
  const own = nodes.flatMap(({ node, targets }) => {
    const target = targets[tree]
    return target?.kind === 'geoserver' ? [{ node, target }] : []
  })
  if (own.length === 0) return ok(`none in the tree ${tree}`)
  for (const { node, target } of own) {
    const problems = Object.values(target.troubled).flatMap(({ problem }) => problem ?? [])
    const unlike = problems.find(({ message, hint = '' }) => /keystore|lacks modules/.test(`${message} ${hint}`))
    if (unlike !== undefined) {
      const { dataset, file, message, hint = 'flotilla catalog status' } = unlike
      return fail(`${node}: ${dataset ?? file}: ${message}`, hint)
    }
  }
  const versions = new Set(own.flatMap(({ target }) => target.version ?? []))
  if (versions.size <= 1)
    return ok(`${plural(own.length, 'node')} of version ${[...versions][0] ?? 'that is not told'}`)
  const each = own.map(({ node, target }) => `${node} ${target.version ?? '?'}`).join(', ')
  const fix = 'Bring all to one version: a node refuses what comes from another, unless its `versions` allow it.'
  return warn(`versions differ: ${each}`, fix)
}

function renderedFinding(nodes: readonly NodeAnswer[]): Finding {
  const all = renderedStatusOf(nodes)
  if (all === undefined) return ok('no node has templates')
  if (all.state === 'in-step') return ok(`all as their templates have them, on ${plural(all.nodes, 'node')}`)
  const bad = nodes.flatMap(({ rendered }) => rendered?.failed ?? [])
  const [first] = bad
  return fail(
    all.summary,
    first === undefined
      ? 'Start the agent there.'
      : `${first.hint ?? 'The last good file stays.'} See: flotilla why ${shellWord(first.to)}`,
  )
}

/** Without what carries the hints nodes are late at most, never wrong: nothing here is a failure. */
export function busFinding(bus: BusHealth | undefined, nowMs: number): Finding {
  if (bus === undefined) return ok('each node’s own watch brings them')
  const since = span(nowMs - bus.sinceMs)
  if (bus.state === 'connected') return ok(`the message broker takes them, since ${since}`)
  const why = bus.error === undefined ? '' : `: ${bus.error}`
  return warn(
    `the hub has had no message broker for ${since}${why}; nodes stay in step through their watches`,
    'Start the broker, or correct `bus` in the hub’s configuration.',
  )
}

export function tokenFinding({ id, label, node, expiresAtMs }: TokenInfo, nowMs: number): Finding {
  const who = `${node === undefined ? label : `node ${node}`} (${id})`
  if (expiresAtMs === undefined) return ok(`${who}, does not expire`)
  const leftMs = expiresAtMs - nowMs
  const text = `${who}, expires in ${span(leftMs)}`
  return leftMs < EXPIRY_WARN_MS ? warn(text, 'flotilla token create, and put the new one in its place') : ok(text)
}
