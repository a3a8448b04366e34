import { hostname } from 'node:os'
import { flotillaVersion } from '../../lib/version.ts'
import type { Asking } from './things.ts'

/** The release of Digital Rebar whose API this is a part of: its clients compare versions. */
const SPEAKS = 'v4.8.0'

/** `GET /info`: that there is nothing here but the API. */
export function infoOf({ request }: Pick<Asking, 'request'>): object {
  const { localAddress = '', localPort = 0 } = request.raw.socket
  const address = localAddress.replace(/^::ffff:/, '')
  return {
    arch: process.arch === 'x64' ? 'amd64' : process.arch,
    os: process.platform,
    version: `${SPEAKS}+flotilla.${flotillaVersion()}`,
    id: hostname(),
    local_id: hostname(),
    ha_id: '',
    api_port: localPort,
    file_port: 0,
    secure_file_port: 0,
    dhcp_port: 0,
    binl_port: 0,
    tftp_port: 0,
    tftp_enabled: false,
    dhcp_enabled: false,
    binl_enabled: false,
    prov_enabled: false,
    secure_prov_enabled: false,
    address,
    server_hostname: '',
    manager: false,
    stats: [],
    features: ['api-v3'],
    scopes: {},
    License: { Licenses: [] },
    errors: [],
    ha_enabled: false,
    ha_virtual_address: '',
    ha_is_active: true,
    ha_status: 'Up',
    ha_active_id: '',
    ha_passive_state: [],
  }
}
