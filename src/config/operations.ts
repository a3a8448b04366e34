import { join } from 'node:path'
import { z } from 'zod'
import { absolute } from './paths.ts'
import { address, path } from './units.ts'

/** How a node without a hub is told what to do: by the same API as a hub, with a token of its own. */
export const operationsSchema = z.strictObject({
  listen: address().prefault('127.0.0.1:8471').describe('address and port at which this node answers'),
  names: z.array(z.string()).default([]).describe('host names that it answers to, besides its addresses'),
  tokenFile: path()
    .optional()
    .describe('file that holds its token, made at the first start; operations.token in `state` when not set'),
})

/** Where the token of a node without a hub lies. */
export function operationsTokenFile(
  {
    operations,
    state,
  }: { readonly operations?: { tokenFile?: string | undefined } | undefined; readonly state: string },
  base: string,
): string {
  const file = operations?.tokenFile
  return file === undefined ? join(absolute(base, state), 'operations.token') : absolute(base, file)
}

/** In the state folder of a node without a hub: the data folder of the hub that it is itself. */
export function ownHubFolder({ state }: { readonly state: string }, base: string): string {
  return join(absolute(base, state), 'hub')
}

interface Described {
  readonly hub?: string | undefined
  readonly operations?: object | undefined
  readonly sources: object
  readonly files?: object | undefined
  readonly targets?: Readonly<Record<string, { readonly kind: string }>>
}

/** Settings that mean nothing without a hub. */
const OF_A_HUB = ['bus', 'sharedBlobs', 'peerListen', 'peerUrl'] as const

/** Either a hub says what this node does, or the node itself: what belongs to the other way is a mistake. */
export function checkWay(settings: Described & Partial<Record<(typeof OF_A_HUB)[number], unknown>>) {
  const { hub, operations, sources, files, targets = {} } = settings
  const keepsFiles = files !== undefined || Object.values(targets).some(({ kind }) => kind === 'files')
  const isAlone = operations !== undefined || Object.keys(sources).length > 0 || keepsFiles
  if (hub === undefined && !isAlone) return [{ path: ['hub'], message: 'is missing' }]
  if (hub === undefined) {
    const misplaced = OF_A_HUB.filter((name) => settings[name] !== undefined)
    return misplaced.map((name) => ({ path: [name], message: 'it is of use with a hub only, and `hub` is not set' }))
  }
  const message = 'it is for a node without a hub, and `hub` is set; a hub has `sources` of its own'
  return [
    ...(operations === undefined ? [] : [{ path: ['operations'], message }]),
    ...(Object.keys(sources).length === 0 ? [] : [{ path: ['sources'], message }]),
  ]
}
