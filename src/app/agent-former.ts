import type { AgentConfig } from '../config/agent.ts'
import { keys, parseNodeKey } from '../core/keys.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'

type Has = Pick<AgentConfig, 'node' | 'targets' | 'proxies' | 'files'>

const OF_A_TREE: ReadonlySet<string> = new Set(['target', 'datasets', 'loads'])

/** Takes back what this node said of trees and proxies that it no longer has: every rollout would wait for them. */
export function formerOf({ node, targets, proxies, files }: Has, store: Store): Service {
  const isFormer = (key: string): boolean => {
    const { family = '', tree = '' } = parseNodeKey(key) ?? {}
    if (family === 'served') return files === undefined
    if (family === 'proxy') return !Object.hasOwn(proxies, tree)
    const kind = Object.hasOwn(targets, tree) ? targets[tree]?.kind : undefined
    return family === 'files' ? kind !== 'files' : OF_A_TREE.has(family) && (kind ?? 'files') === 'files'
  }
  return {
    name: 'former trees and proxies',
    run: async (signal) => {
      const { entries } = await store.list(keys.node(node), { signal })
      const gone = entries.filter(({ key }) => isFormer(key))
      if (gone.length === 0) return
      const expect = gone.map(({ key, revision }) => ({ key, revision }))
      await store.commit({ expect, changes: gone.map(({ key }) => ({ op: 'delete', key })) }, { signal })
    },
  }
}
