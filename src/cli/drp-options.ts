import { resolve } from 'node:path'

/** Of `up` and `hub`: where the command line of Digital Rebar finds its API over TLS. */
export const DRP = {
  drpListen: {
    type: 'value',
    placeholder: 'HOST:PORT',
    summary: 'also serve the API of Digital Rebar there, over TLS, for its drpcli',
  },
  drpCertificate: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'certificate for that, in PEM',
    completes: 'file',
  },
  drpKey: { type: 'value', placeholder: 'FILE', summary: 'its key, in PEM', completes: 'file' },
} as const

interface DrpOptions {
  readonly drpListen?: string | undefined
  readonly drpCertificate?: string | undefined
  readonly drpKey?: string | undefined
}

export function drpFlags({ drpListen, drpCertificate, drpKey }: DrpOptions, cwd: string) {
  const file = (path: string | undefined): string | undefined => path && resolve(cwd, path)
  return { 'drp.listen': drpListen, 'drp.certificate': file(drpCertificate), 'drp.key': file(drpKey) }
}
