import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { AgentConfig } from '../../config/agent.ts'
import { FlotillaError } from '../../core/errors.ts'
import { agentFile, isFile, statesHere } from '../agent-state.ts'
import { command } from '../command.ts'
import { CLIENT, DEFAULT_DATA, findToken, findUrl, TREE, URL_FILE } from '../connect.ts'
import type { Context } from '../context.ts'
import { type Check, type Checked, examine, fail, type Finding, ok, type Verdict } from '../doctor/check.ts'
import { isPrivate, space, writable } from '../doctor/folders.ts'
import { hubChecks } from '../doctor/hub.ts'
import { plural } from '../format.ts'
import type { Colour, Output } from '../output.ts'
import { serviceSources } from '../service.ts'

export const doctor = command({
  arguments: [],
  options: {
    state: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'also look at the node whose state folder this is',
      completes: 'folder',
    },
    config: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'the same, by the agent’s configuration',
      completes: 'file',
    },
    data: { type: 'value', placeholder: 'DIR', summary: 'also look at the data folder of a hub', completes: 'folder' },
    store: {
      type: 'value',
      placeholder: 'ADDRESS',
      summary: 'also look at the etcd that hubs share, with its members',
    },
    hubConfig: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'configuration of a hub, for how that etcd is reached',
      completes: 'file',
    },
    ...TREE,
    ...CLIENT,
  },
  details:
    'Looks at this machine, at the hub, and at the nodes whose state lies below the working folder or is named. Changes ' +
    'nothing. The exit code is 1 when anything failed.',
  examples: [
    'flotilla doctor',
    'flotilla doctor --state /var/lib/flotilla-agent',
    'flotilla doctor --store etcd://10.0.0.1:2379,10.0.0.2:2379/flotilla',
  ],
  async run({ options }, context) {
    const { output } = context
    const files = await agentFiles(options, context)
    const nodes = await Promise.all(files.map((file) => readNode(file, context)))
    const at = (await ownHub(options.url, nodes, context)) ?? options
    const { url } = await findUrl(at, context)
    const token = async () => (await findToken(at, context, url)).token
    const checks = [
      nodeJs(),
      ...(await dataChecks(options.data, context)),
      ...(await storeChecks(options, context)),
      ...hubChecks({ url, token, tree: options.tree }, context),
      ...nodes.flatMap(({ checks }) => checks),
      ...(await keystoreChecks(nodes)),
    ]
    let group = ''
    const all = await examine(checks, (checked) => {
      if (options.json) return
      if (checked.group !== group) output.print(output.paint('bold', `${group === '' ? '' : '\n'}${checked.group}`))
      group = checked.group
      tell(checked, output)
    })
    const count = (verdict: Verdict): number => all.filter((one) => one.verdict === verdict).length
    const [passed, warnings, failed] = [count('ok'), count('warn'), count('fail')]
    if (options.json) output.json('doctor', { passed, warnings, failed, checks: all })
    else output.print(`\n${passed} ok, ${plural(warnings, 'warning')}, ${failed} failed`)
    return failed > 0 ? 1 : 0
  },
})

const SIGNS: Readonly<Record<Verdict, readonly [string, Colour]>> = {
  ok: ['✓ ok  ', 'green'],
  warn: ['! warn', 'yellow'],
  fail: ['✗ FAIL', 'red'],
}

function tell({ name, verdict, message, fix }: Checked, output: Output): void {
  const [sign, colour] = SIGNS[verdict]
  output.print(`  ${output.paint(colour, sign)}  ${name}: ${message}`)
  if (fix !== undefined) output.print(`            → ${fix}`)
}

function nodeJs(): Check {
  return { group: 'machine', name: 'Node.js', run: nodeJsFinding }
}

function nodeJsFinding(): Promise<Finding> {
  return Promise.resolve(ok(`${process.versions.node} on ${process.platform} ${process.arch}`))
}

async function storeChecks(
  { store, hubConfig }: { readonly store: string | undefined; readonly hubConfig: string | undefined },
  context: Context,
): Promise<readonly Check[]> {
  if (store === undefined) return []
  return (await import('../doctor/store.ts')).etcdChecks(store, hubConfig, context)
}

/** Of the data folder that is named, or of the default one where it is there. */
async function dataChecks(named: string | undefined, { cwd }: Context): Promise<readonly Check[]> {
  const data = resolve(cwd, named ?? DEFAULT_DATA)
  if (named === undefined && !(await isFile(join(data, URL_FILE)))) return []
  const group = 'hub data'
  return [
    writable(group, 'folder', data, 'It is the DIR of `flotilla up --data DIR`.'),
    isPrivate(group, 'mode', data),
    space(group, data),
    ...(await import('../doctor/store.ts')).fileChecks(data),
  ]
}

async function agentFiles(
  options: { readonly state: string | undefined; readonly config: string | undefined },
  context: Context,
): Promise<readonly string[]> {
  if (options.state === undefined && options.config === undefined) return statesHere(context)
  return [await agentFile(options, context)]
}

interface NodeHere {
  readonly file: string
  readonly config?: AgentConfig
  readonly checks: readonly Check[]
}

/** The only node that is looked at, where it has no hub: then it is asked itself. */
async function ownHub(
  given: string | undefined,
  [node, ...others]: readonly NodeHere[],
  { env }: Context,
): Promise<{ readonly url: string; readonly tokenFile: string } | undefined> {
  if ((given ?? env['FLOTILLA_URL'] ?? '') !== '' || others.length > 0) return undefined
  if (node?.config === undefined || node.config.hub !== undefined) return undefined
  const { operationsTokenFile, ownHubFolder } = await import('../../config/operations.ts')
  const base = dirname(node.file)
  const url = await readFile(join(ownHubFolder(node.config, base), URL_FILE), 'utf8').catch(() => undefined)
  return url === undefined ? undefined : { url: url.trim(), tokenFile: operationsTokenFile(node.config, base) }
}

/** Of several GeoServers on this machine. */
async function keystoreChecks(nodes: readonly NodeHere[]): Promise<readonly Check[]> {
  const configs = nodes.flatMap(({ config }) => config ?? [])
  return configs.length < 2 ? [] : (await import('../doctor/geoserver.ts')).keystoreChecks(configs)
}

/** A configuration that cannot be read is a finding too, and the end of what can be seen. */
async function readNode(file: string, context: Context): Promise<NodeHere> {
  const [{ agentChecks }, { filesChecks }, { geoserverChecks }, { proxyChecks }, { agentSchema }, { loadConfig }] =
    await Promise.all([
      import('../doctor/agent.ts'),
      import('../doctor/files.ts'),
      import('../doctor/geoserver.ts'),
      import('../doctor/proxy.ts'),
      import('../../config/agent.ts'),
      import('../../config/load.ts'),
    ])
  const group = file
  try {
    const { base: _, ...sources } = await serviceSources(file, {}, context)
    const config = loadConfig(agentSchema, sources)
    const read: Check = { group, name: 'configuration', run: () => Promise.resolve(ok('valid')) }
    const own = [
      ...agentChecks(file, config),
      ...geoserverChecks(config, context),
      ...filesChecks(file, config),
      ...proxyChecks(file, config, context),
    ]
    return { file, config, checks: [read, ...own] }
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error
    const { line = 1, column = 1, hint } = error.details
    const finding = fail(`${line}:${column}: ${error.message}`, hint ?? `flotilla config check ${file}`)
    return { file, checks: [{ group, name: 'configuration', run: () => Promise.resolve(finding) }] }
  }
}
