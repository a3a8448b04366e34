import { type AgentConfig, filesTargets } from '../config/agent.ts'
import type { NodeAlive } from '../core/target.ts'
import { fedByCluster } from './files-access.ts'
import { urlOf } from './files-url.ts'

/** What the node says of its files under its lease. */
export function filesAlive(
  config: AgentConfig,
): Pick<NodeAlive, 'filesUrl' | 'filesTrees' | 'filesFed' | 'filesPulled'> {
  const { files } = config
  const pulled = filesTargets(config).map(([tree]) => tree)
  const fed = files === undefined ? [] : fedByCluster(files)
  const isKnown = files !== undefined && (files.publicUrl !== undefined || files.listen.port !== 0)
  return {
    ...(isKnown && { filesUrl: urlOf(files.listen, files) }),
    ...(files !== undefined && { filesTrees: Object.keys(files.trees) }),
    ...(fed.length > 0 && { filesFed: fed }),
    ...(pulled.length > 0 && { filesPulled: pulled }),
  }
}
