import { dirname, posix } from 'node:path'
import type { Settings } from './settings.ts'

/** What we would write in place of its settings. No secret stands in it: each has a file of its own. */
export interface Proposal {
  readonly hub: Record<string, unknown>
  readonly agent: Record<string, unknown>
  /** What to do by hand, and what there is no setting for. */
  readonly notes: readonly string[]
}

const HUB = 'http://127.0.0.1:8470'

export function propose(settings: Settings): Proposal {
  const notes: string[] = []
  const bridge = bridgeOf(settings, notes)
  const hub = { listen: '127.0.0.1:8470', ...sourcesOf(settings, notes), ...(bridge && { erddaputil: bridge }) }
  const agent = {
    node: 'NAME',
    hub: HUB,
    ...metricsOf(settings),
    targets: { datasets: targetOf(settings, notes) },
  }
  listNotes(settings, notes)
  otherNotes(settings, notes)
  return { hub, agent, notes }
}

function sourcesOf(settings: Settings, notes: string[]): object {
  const folder = settings.text('erddap.datasets_d')
  const template = settings.text('erddap.datasets_xml_template')
  if (folder === undefined) {
    notes.push('erddap.datasets_d is not set: release a folder with `flotilla datasets release DIR`')
    return {}
  }
  if (template !== undefined) {
    notes.push(
      `the template is a file of the folder itself: cp ${quoted(template)} ${quoted(posix.join(folder, 'template.xml'))}`,
    )
  }
  notes.push(`see what a release would say before there is one: flotilla datasets check ${folder}`)
  return {
    sources: { datasets: { folder, quarantine: settings.yes('dataset_manager.skip_misconfigured_datasets', true) } },
  }
}

function targetOf(settings: Settings, notes: string[]): object {
  const datasetsXml = settings.text('erddap.datasets_xml')
  const url = settings.text('erddap.base_url')?.replace(/\/+$/, '')
  if (datasetsXml !== undefined && posix.basename(datasetsXml) !== 'datasets.xml') {
    notes.push(
      `${datasetsXml}: ERDDAP reads a file named datasets.xml in its content directory; that is what is written`,
    )
  }
  if (url !== undefined && !/^https?:\/\/(?:localhost|127\.|\[::1\])/.test(url)) {
    notes.push(`${url} must be this server's own ERDDAP, not a proxy before it: a node proves only what it asks itself`)
  }
  const logs = settings.yes('logman.enabled', true) && settings.yes('logman.include_erddap', true)
  return {
    kind: 'erddap',
    contentDirectory: datasetsXml === undefined ? 'CONTENT_DIRECTORY' : dirname(datasetsXml),
    bigParentDirectory: settings.text('erddap.big_parent_directory') ?? 'BIG_PARENT_DIRECTORY',
    ...(url !== undefined && { url }),
    ...(logs && { logRetentionDays: settings.number('logman.retention_days', 31) }),
  }
}

function metricsOf(settings: Settings): object {
  const folder = settings.text('tomcat.log_directory')
  const isOn = settings.yes('status_scraper.enabled', true) || settings.yes('tomtail.enabled', true)
  if (!isOn) return {}
  const prefix = settings.text('tomcat.log_prefix') ?? 'access_log'
  const accessLogs =
    folder === undefined || !settings.yes('tomtail.enabled', true)
      ? {}
      : { accessLogs: [posix.join(folder, `${prefix}*`)] }
  return { metrics: { listen: '127.0.0.1:9473', ...accessLogs } }
}

/** Only for the time that some nodes still run it. */
function bridgeOf(settings: Settings, notes: string[]): object | undefined {
  if (!settings.has('secret_key')) return undefined
  notes.push(
    'section erddaputil is for the time that some nodes still run it, and can go with the last of them; ' +
      'its secret_key goes into erddaputil.secret (chmod 600), in one line',
  )
  const host = settings.text('service.host') ?? '127.0.0.1'
  const port = settings.number('service.port', 9172)
  const bridge = { secretFile: 'erddaputil.secret', listen: `${host}:${port}`, nodes: [] as string[] }
  if (!settings.yes('use_ampq_exchange', false)) return bridge
  const broker = brokerOf(settings, notes)
  return { ...bridge, ...(broker && { amqp: broker }) }
}

function brokerOf(settings: Settings, notes: string[]): object | undefined {
  const implementation = settings.text('ampq.implementation') ?? 'pika'
  const connection = settings.text('ampq.connection') ?? ''
  if (implementation !== 'pika' || !URL.canParse(connection)) {
    notes.push(
      `its broker (${implementation}) is none that speaks AMQP 0-9-1: name its nodes in erddaputil.nodes instead`,
    )
    return undefined
  }
  const { protocol, host, pathname, username } = new URL(connection)
  if (settings.text('ampq.hostname') === undefined) {
    notes.push(
      'ampq.hostname is not set: all its servers share one queue then, and each message reaches only one of them',
    )
  }
  notes.push(
    'as shipped, its nodes send to the broker and hear nothing: name them in erddaputil.nodes to tell them over TCP',
  )
  notes.push('the password of the broker goes into broker.password (chmod 600)')
  return {
    url: `${protocol}//${host}${pathname === '/%2F' || pathname === '/%2f' ? '' : pathname}`,
    user: decodeURIComponent(username) || 'guest',
    passwordFile: 'broker.password',
    exchange: settings.text('ampq.exchange_name') ?? 'erddap_cnc',
    cluster: settings.text('ampq.cluster_name') ?? 'default',
  }
}

/** Its lists are one value a line. */
function listNotes(settings: Settings, notes: string[]): void {
  const parent = settings.text('erddap.big_parent_directory') ?? 'BIG_PARENT_DIRECTORY'
  const lists = [
    ['ip_block_list', '.ip_block_list.txt', 'block ip'],
    ['subscription_block_list', '.email_block_list.txt', 'block email'],
    ['unlimited_allow_list', '.unlimited_allow_list.txt', 'allow-unlimited'],
  ] as const
  const lines = lists.map(([name, file, command]) => {
    const path = settings.text(`erddap.${name}`) ?? posix.join(parent, file)
    return `  xargs -r -d '\\n' -n 100 -a ${quoted(path)} flotilla ${command}`
  })
  notes.push(`what is blocked on any node, once for the cluster:\n${lines.join('\n')}`)
}

function otherNotes(settings: Settings, notes: string[]): void {
  const delays = ['max_delay_seconds', 'max_pending', 'max_recompile_delay', 'max_recompile_delay_seconds']
  if (delays.some((name) => settings.number(`dataset_manager.${name}`, 0) > 0)) {
    notes.push(
      'delays and max_pending have no counterpart: a request asked for again before it was done is one request',
    )
  }
  if (settings.yes('dataset_manager.backups', false))
    notes.push('backups: every release is kept, and flotilla rollback goes back to it')
  if (settings.yes('webapp.enable_management_api', true)) {
    notes.push(
      `clients of its web API: ${HUB}/compat/erddaputil/, with a token as the password (flotilla token create); ` +
        'its password file and peppers are not carried over',
    )
  }
  if (settings.has('metrics_manager'))
    notes.push(`what pushes metrics: ${HUB}/compat/erddaputil/push, with write:metrics`)
  notes.push("stop its daemon on a node before Flotilla's first release: two programs would write one datasets.xml")
}

/** One word for a shell. */
function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
