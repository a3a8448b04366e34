import { FlotillaError } from '../core/errors.ts'
import { originOf } from '../lib/file-access.ts'
import { uriEncode } from '../lib/s3/target.ts'
import type { Secret } from '../lib/secret.ts'

/** Where a child is, as it is configured: `http://host:port`, or `http://host:port/tree` where its tree has another name than ours. */
export interface ChildPlace {
  /** In one form only, whatever was written. */
  readonly url: string
  /** Host and port, with the tree where it was named. */
  readonly name: string
  readonly origin: string
  /** The name of the tree there, as it stands in a path. */
  readonly treePath: string
}

/** Throws `USAGE`. */
export function childPlace(text: string, tree: string): ChildPlace {
  const url = originOf(text)
  const path = url.pathname.replace(/^\/+|\/+$/g, '')
  if (path.includes('/') || url.search !== '' || url.hash !== '') {
    throw new FlotillaError('USAGE', `"${text}" is no child`, {
      hint: 'It looks like http://host:8480, or http://host:8480/tree where the tree has another name there.',
    })
  }
  const suffix = path === '' ? '' : `/${path}`
  return { url: url.origin + suffix, name: url.host + suffix, origin: url.origin, treePath: path || uriEncode(tree) }
}

/** How a parent shows its key, the only way in which children know their parents. Never in a URL, where others would see it. */
export function keyHeaders(key: Secret | undefined): Readonly<Record<string, string>> {
  return key === undefined ? {} : { authorization: `Bearer ${key.reveal()}` }
}

/** Throws `CONFIG_INVALID` where a child is named twice: it would count as two wherever a quorum is asked for. */
export function refuseTwice(urls: readonly string[], tree: string): void {
  const seen = new Set<string>()
  for (const url of urls) {
    const { origin, treePath } = childPlace(url, tree)
    const place = `${origin}/${treePath}`
    if (seen.has(place)) {
      throw new FlotillaError('CONFIG_INVALID', `${origin} is named twice as a child of the tree ${tree}`, {
        hint: 'Name each child once.',
      })
    }
    seen.add(place)
  }
}
