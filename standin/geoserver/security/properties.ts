import { propertiesDate } from '../dates.ts'

/** A `.properties` file: keys in the order they stand in. */
export function readProperties(source: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of source.split('\n')) {
    if (line.trim() === '' || /^\s*[#!]/.test(line)) continue
    const at = line.indexOf('=')
    if (at >= 0) found.set(unescape(line.slice(0, at).trim()), unescape(line.slice(at + 1).trim()))
  }
  return found
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1')
}

/** As Java stores it: a date first, `mode` and then the rules in the order given. */
export function writeProperties(properties: ReadonlyMap<string, string>): string {
  const lines = [...properties].map(([key, value]) => `${key.replaceAll(/[:=\s]/g, String.raw`\$&`)}=${value}`)
  return [`#${propertiesDate(Date.now())}`, ...lines, ''].join('\n')
}
