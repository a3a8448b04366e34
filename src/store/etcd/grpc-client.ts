import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { type ChannelCredentials, Client, type ClientOptions, credentials } from '@grpc/grpc-js'
import type { TlsOptions } from './tls.ts'

const OPTIONS: ClientOptions = {
  // A call is sent once, and whoever made it decides whether once more.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  // Each store has a connection of its own, and its end is seen as such.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  // A listing is as long as it is; what etcd takes is limited by etcd.
  'grpc.max_receive_message_length': -1,
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
}

/** TLS takes no address where the server's name belongs. */
const UNNAMED: ClientOptions = { 'grpc.ssl_target_name_override': 'etcd' }

/** The library's connection to `http://host:port` or `https://host:port`. */
export function clientOf(url: string, tls: TlsOptions): Client {
  const { protocol, host, hostname } = new URL(url)
  if (protocol !== 'https:') return new Client(host, credentials.createInsecure(), OPTIONS)
  return new Client(host, proofOf(tls, hostname), isIP(hostname) > 0 ? { ...OPTIONS, ...UNNAMED } : OPTIONS)
}

function proofOf({ ca, cert, key }: TlsOptions, hostname: string): ChannelCredentials {
  return credentials.createSsl(bytes(ca), bytes(key), bytes(cert), {
    checkServerIdentity: (_, shown) => checkServerIdentity(hostname, shown),
  })
}

function bytes(pem: string | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem)
}
