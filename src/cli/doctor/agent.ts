import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type AgentConfig,
  type ErddapTarget as Erddap,
  erddapTargets,
  filesTargets,
  releaseTargets,
} from '../../config/agent.ts'
import { operationsTokenFile } from '../../config/operations.ts'
import { absolute } from '../../config/paths.ts'
import { messageOf } from '../../core/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import { readSecretFile } from '../../lib/secret-file.ts'
import { templateChecks } from './templates.ts'
import { type Check, fail, type Finding, ok, warn } from './check.ts'
import { jmsCheck } from './jms.ts'
import { isPrivate, replaces, space, writable } from './folders.ts'

/** What can be seen of one node on its own server. `file` is the agent's configuration. */
export function agentChecks(file: string, config: AgentConfig): readonly Check[] {
  const group = `node ${config.node}`
  const base = dirname(file)
  const state = absolute(base, config.state)
  const targets = erddapTargets(config)
  const none: Check = {
    group,
    name: 'targets',
    run: () =>
      Promise.resolve(
        Object.keys(config.proxies).length > 0 ||
          config.files !== undefined ||
          filesTargets(config).length > 0 ||
          Object.keys(config.templates).length > 0
          ? ok('no releases are taken here: a proxy, files or templates')
          : warn('nothing is kept in step on this node', `Add a target to ${file}.`),
      ),
  }
  return [
    ...(config.hub === undefined
      ? aloneChecks(group, base, config)
      : [secret(group, 'credential', absolute(base, config.credentialFile))]),
    writable(group, 'state folder', state, 'Join again, or correct `state`.'),
    isPrivate(group, 'state folder mode', state),
    space(group, state),
    ...brokerChecks(group, base, config),
    ...(releaseTargets(config).length === 0 ? [none] : []),
    ...templateChecks(group, base, config),
    ...targets.flatMap(([tree, erddap]) => erddapChecks(`${group}, ${tree}`, erddap)),
    ...jmsChecks(group, base, config),
  ]
}

function jmsChecks(group: string, base: string, config: AgentConfig): readonly Check[] {
  return releaseTargets(config).flatMap(([tree, one]) =>
    one.kind === 'geoserver' && one.jms !== undefined ? [jmsCheck(`${group}, ${tree}`, one.jms, base)] : [],
  )
}

function secret(group: string, name: string, file: string): Check {
  return {
    group,
    name,
    run: async () => {
      await readSecretFile(file)
      return ok('readable, and by nobody else')
    },
  }
}

/** A node without a hub: its own token, and the folders that it releases. Whether it answers is asked as of a hub. */
function aloneChecks(group: string, base: string, config: AgentConfig): readonly Check[] {
  const { sources } = config
  const folders = Object.entries(sources).map(([tree, { folder }]) =>
    readable(group, `source of ${tree}`, absolute(base, folder)),
  )
  return [secret(group, 'token of operations', operationsTokenFile(config, base)), ...folders]
}

function readable(group: string, name: string, folder: string): Check {
  return {
    group,
    name,
    run: async () => {
      const names = await readdir(folder).catch(() => undefined)
      if (names === undefined)
        return fail(`${folder} cannot be read`, 'Mount it, or correct `sources`; what is served stays as it is.')
      return names.length > 0
        ? ok(folder)
        : warn(`${folder} is empty`, 'What is served stays; nothing is removed for it.')
    },
  }
}

/** Only where a broker is configured. Without it the node is late at most, never wrong: nothing here is a failure. */
function brokerChecks(group: string, base: string, { node, bus }: AgentConfig): readonly Check[] {
  if (bus === undefined) return []
  return [{ group, name: 'message broker', run: async () => await brokerFinding(bus, node, base) }]
}

async function brokerFinding(bus: NonNullable<AgentConfig['bus']>, node: string, base: string): Promise<Finding> {
  const { probeBus } = await import('../../app/bus.ts')
  try {
    const { listening = 0 } = await probeBus(bus, node, base)
    if (listening > 0) return ok(`${bus.url} answers, and this node’s agent listens`)
    return warn(`${bus.url} answers, but no agent listens there for ${node}`, 'Start the agent, or look at its log.')
  } catch (error) {
    return warn(
      `${messageOf(error)}; the node stays in step through its watch, and looks by itself every now and then`,
      'Start the broker, or correct `bus` in the agent’s configuration.',
    )
  }
}

function erddapChecks(group: string, erddap: Erddap): readonly Check[] {
  const { contentDirectory, bigParentDirectory, url } = erddap
  const datasetsXml = join(contentDirectory, 'datasets.xml')
  const current = join(bigParentDirectory, 'currentDatasets.xml')
  const check = (name: string, run: () => Promise<Finding>): Check => ({ group, name, run })
  return [
    writable(
      group,
      'content folder',
      contentDirectory,
      'Correct `contentDirectory`: it is the folder of datasets.xml.',
    ),
    replaces(group, contentDirectory),
    writable(
      group,
      'bigParentDirectory',
      bigParentDirectory,
      'Correct `bigParentDirectory`, as in ERDDAP’s setup.xml.',
    ),
    writable(group, 'flag folder', join(bigParentDirectory, 'flag'), 'ERDDAP makes it when it starts: start it once.'),
    writable(
      group,
      'hardFlag folder',
      join(bigParentDirectory, 'hardFlag'),
      'ERDDAP makes it when it starts: start it once.',
    ),
    check('datasets.xml', async () => {
      const found = await stat(datasetsXml).catch(() => undefined)
      if (found === undefined) return warn(`${datasetsXml} is not there yet`, 'The first release writes it.')
      await readFile(datasetsXml)
      return ok(`${found.size} bytes`)
    }),
    check('ERDDAP answers', () => versionFinding(url)),
    check('ERDDAP reads it', () => readsFinding(datasetsXml, current)),
  ]
}

async function versionFinding(url: string | undefined): Promise<Finding> {
  if (url === undefined) return warn('no address is set, so nothing can be proved', 'Set `url` of the target.')
  try {
    const answer = await fetch(`${url.replace(/\/$/, '')}/version`, {
      redirect: 'error',
      signal: AbortSignal.timeout(5000),
    })
    const version = /^ERDDAP_version=(\S{1,40})/.exec(await answer.text())?.[1]
    if (version !== undefined) return ok(`version ${version}`)
    return fail(`${url} is not an ERDDAP: it answered ${answer.status}`, 'The address ends with /erddap, as a rule.')
  } catch {
    return fail(`no answer from ${url}`, 'Start ERDDAP, or correct `url`; serving does not need Flotilla.')
  }
}

/** ERDDAP copies datasets.xml to currentDatasets.xml at each load, so equal bytes mean that it has read it. */
async function readsFinding(datasetsXml: string, current: string): Promise<Finding> {
  const [ours, read] = await Promise.all([datasetsXml, current].map((path) => readFile(path).catch(() => undefined)))
  if (read === undefined)
    return warn(`${current} is not there`, 'ERDDAP has not loaded yet, or uses another bigParentDirectory.')
  if (ours === undefined) return warn('there is no datasets.xml to compare with', 'The first release writes it.')
  if (sha256(ours) === sha256(read)) return ok('it read last what is there now')
  return warn(
    'it has not read the present datasets.xml yet',
    'It does with its next load. If not, it uses other folders.',
  )
}
