import type { DrpConfig } from '../config/drp.ts'
import { absolute } from '../config/paths.ts'
import { PREFIX } from '../compat/drp/answers.ts'
import type { Logger } from '../core/log.ts'
import type { Hub } from '../hub/hub.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { readCertificates } from './certificates.ts'

const PEM = /^-----BEGIN [\s\S]+-----$/

/** Serves the API of Digital Rebar over TLS, if that is configured. Answers where, and rejects where its files cannot be read or used. */
export async function listenForDrp(
  hub: Hub,
  config: DrpConfig | undefined,
  { base, log }: { readonly base: string; readonly log: Logger },
): Promise<string | undefined> {
  if (config === undefined) return undefined
  const certificate = Buffer.from(await readCertificates(absolute(base, config.certificate)))
  const key = Buffer.from((await readSecretFile(absolute(base, config.key), PEM)).reveal())
  const { url } = await hub.listenSecurely({ ...config.listen, certificate, key, prefix: PREFIX })
  log.info('the API of Digital Rebar is served', { url })
  return url
}
