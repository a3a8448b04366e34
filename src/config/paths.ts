import { isAbsolute, resolve } from 'node:path'

/** A path of a configuration: relative ones start from `base`. */
export function absolute(base: string, text: string): string {
  return isAbsolute(text) ? text : resolve(base, text)
}
