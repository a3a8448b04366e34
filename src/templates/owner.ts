import { readFileSync } from 'node:fs'
import { FlotillaError } from '../core/errors.ts'

export interface Owner {
  readonly uid: number
  /** The group of whoever renders, where it is not told. */
  readonly gid: number | undefined
}

/** `tomcat`, `tomcat:tomcat`, `1000:1000`. Throws `CONFIG_INVALID` for names that this machine does not know. */
export function ownerOf(text: string): Owner {
  const [user = '', group] = text.split(':')
  return { uid: idOf(user, '/etc/passwd'), gid: group === undefined ? undefined : idOf(group, '/etc/group') }
}

function idOf(name: string, file: string): number {
  if (/^\d{1,9}$/.test(name)) return Number(name)
  const line = readFileSync(file, 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`))
  const id = line?.split(':')[2]
  if (name !== '' && id !== undefined && /^\d+$/.test(id)) return Number(id)
  throw new FlotillaError('CONFIG_INVALID', `${file} knows no "${name}"`, {
    hint: 'Write a number, or make the account.',
  })
}
