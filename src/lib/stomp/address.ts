/** Where one broker takes STOMP. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
  readonly isEncrypted: boolean
}

/** As ActiveMQ's documentation has them. */
const PORTS = { 'stomp:': 61_613, 'stomp+ssl:': 61_612 } as const

const isScheme = (protocol: string): protocol is keyof typeof PORTS => protocol in PORTS

export const TAKES_BROKERS =
  'takes stomp://HOST:PORT or stomp+ssl://…, several with commas between, without user and password: those go into `user` and `passwordFile`'

/** Whether these are addresses with nothing secret in them: addresses are shown, logged and put into environments. */
export function areBrokers(urls: string): boolean {
  return urls.split(',').every(isBroker)
}

function isBroker(url: string): boolean {
  if (url !== url.trim() || !URL.canParse(url)) return false
  const { protocol, hostname, pathname, username, password, search, hash } = new URL(url)
  return isScheme(protocol) && hostname !== '' && /^\/?$/.test(pathname) && username + password + search + hash === ''
}

/** The brokers of addresses that `areBrokers`, in their order. */
export function brokersOf(urls: string): readonly BrokerAddress[] {
  return urls.split(',').map((url) => {
    const { protocol, hostname, port } = new URL(url)
    const scheme = isScheme(protocol) ? protocol : 'stomp:'
    return {
      host: hostname.replaceAll(/^\[|\]$/g, ''),
      port: port === '' ? PORTS[scheme] : Number(port),
      isEncrypted: scheme === 'stomp+ssl:',
    }
  })
}
