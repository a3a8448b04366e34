/** As Java writes it at the top of a property file, each time with another date. */
const DATE = /^#(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d{2} \d{2}:\d{2}:\d{2} \S+ \d{4}\r?\n?$/

/** The bytes of a property file without its date, and what counts of it: neither comments nor empty lines do. */
export function readProperties(bytes: Uint8Array): { readonly portable: Uint8Array; readonly meaning: string } {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const kept: string[] = []
  let meaning = ''
  let goesOn = false
  for (const line of lines) {
    const content = line.trim()
    const isComment: boolean = !goesOn && (content === '' || content.startsWith('#') || content.startsWith('!'))
    if (!isComment || !DATE.test(line)) kept.push(line)
    if (!isComment) meaning += `${content}\n`
    goesOn = !isComment && (/\\*$/.exec(content)?.[0].length ?? 0) % 2 === 1
  }
  return { portable: kept.length === lines.length ? bytes : Buffer.from(kept.join(''), 'latin1'), meaning }
}
