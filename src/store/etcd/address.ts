import { FlotillaError } from '../../core/errors.ts'

/** `etcd://10.0.0.1:2379,10.0.0.2:2379/prefix`, taken apart. */
export interface EtcdAddress {
  /** `http://10.0.0.1:2379`; with TLS `https://…`. */
  readonly endpoints: readonly string[]
  /** What every key of ours begins with in etcd: `prefix/`. */
  readonly root: string
}

const DEFAULT_ROOT = 'flotilla'
const FORM = /^(etcd|etcds):\/\/([^/?#@]+)(?:\/([^?#]*))?$/
const ROOT = /^[!-~]{1,200}$/
const PORT = 2379
const HINT = 'It looks like etcd://10.0.0.1:2379,10.0.0.2:2379/flotilla, and with TLS etcds://…'

/** Throws `CONFIG_INVALID`. Without a path the keys are below `flotilla/`. */
export function parseEtcdAddress(text: string): EtcdAddress {
  const [, scheme, hosts, path = ''] = FORM.exec(text) ?? []
  const root = path.replace(/\/+$/, '') || DEFAULT_ROOT
  if (scheme === undefined || hosts === undefined || !ROOT.test(root)) throw malformed(text)
  const protocol = scheme === 'etcds' ? 'https' : 'http'
  const endpoints = hosts.split(',').map((host) => endpointOf(protocol, host) ?? malformed(text))
  const bad = endpoints.find((endpoint) => endpoint instanceof Error)
  if (bad instanceof Error) throw bad
  return { endpoints: [...new Set(endpoints.map(String))], root: `${root}/` }
}

function endpointOf(protocol: 'http' | 'https', host: string): string | undefined {
  const withPort = /:\d+$/.test(host) ? host : `${host}:${PORT}`
  if (!URL.canParse(`${protocol}://${withPort}`)) return undefined
  const { hostname, port, pathname } = new URL(`${protocol}://${withPort}`)
  // A port that is the protocol's own is left out by URL.
  return hostname === '' || pathname !== '/'
    ? undefined
    : `${protocol}://${hostname}:${port || withPort.split(':').at(-1)}`
}

function malformed(text: string): FlotillaError {
  return new FlotillaError('CONFIG_INVALID', `"${text}" is not the address of an etcd`, { hint: HINT })
}
