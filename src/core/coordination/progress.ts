/** What scripts show of a node: value of `node/<node>/meta`. */
export interface NodeMeta {
  readonly icon?: string | undefined
  readonly color?: string | undefined
  readonly phase?: string | undefined
  /** 0 to 100. */
  readonly percent?: number | undefined
  readonly message?: string | undefined
  readonly waitingOn?: string | undefined
  readonly updatedAtMs?: number | undefined
}

/** Null takes a member away; what is not named stays. */
export type NodeMetaChange = {
  readonly [K in Exclude<keyof NodeMeta, 'updatedAtMs'>]?: NodeMeta[K] | null | undefined
}

export const META_MEMBERS = ['icon', 'color', 'phase', 'percent', 'message', 'waitingOn'] as const

/** Of a node that leads something and shows no icon of its own. */
const LEADER: Pick<NodeMeta, 'icon' | 'color'> = { icon: 'anchor', color: 'purple' }

export function changed(meta: NodeMeta, change: NodeMetaChange, nowMs: number): NodeMeta {
  const all = META_MEMBERS.map((name) => [name, change[name] === undefined ? meta[name] : change[name]] as const)
  const left = all.filter(([, value]) => value !== undefined && value !== null)
  return { ...(Object.fromEntries(left) as NodeMeta), updatedAtMs: nowMs }
}

/** As it is shown: who leads something is seen to, by itself and only as long as it does. */
export function shown(meta: NodeMeta, leads: readonly string[]): NodeMeta {
  return leads.length === 0 ? meta : { ...LEADER, ...meta }
}
