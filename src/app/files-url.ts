import { hostname } from 'node:os'
import type { FilesConfig } from '../config/files.ts'

/** How others reach a file service. */
export function urlOf(
  { host, port }: { host: string; port: number },
  { publicUrl }: Pick<FilesConfig, 'publicUrl'>,
): string {
  if (publicUrl !== undefined) return publicUrl
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere ? hostname() : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}
