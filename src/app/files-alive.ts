import { hostname } from 'node:os'
import { type AgentConfig, filesTargets } from '../config/agent.ts'
import type { FilesConfig } from '../config/files.ts'
import type { NodeAlive } from '../core/target.ts'

/** What the node says of its files under its lease. */
export function filesAlive(config: AgentConfig): Pick<NodeAlive, 'filesUrl' | 'filesTrees' | 'filesPulled'> {
  const { files } = config
  const pulled = filesTargets(config).map(([tree]) => tree)
  const isKnown = files !== undefined && (files.publicUrl !== undefined || files.listen.port !== 0)
  return {
    ...(isKnown && { filesUrl: urlOf(files.listen, files) }),
    ...(files !== undefined && { filesTrees: Object.keys(files.trees) }),
    ...(pulled.length > 0 && { filesPulled: pulled }),
  }
}

/** How others reach it. */
export function urlOf(
  { host, port }: { host: string; port: number },
  { publicUrl }: Pick<FilesConfig, 'publicUrl'>,
): string {
  if (publicUrl !== undefined) return publicUrl
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere ? hostname() : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}
