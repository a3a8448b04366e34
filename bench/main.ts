/**
 * `npm run bench [-- [--write] [NAME ...]]`: measures, and prints each figure with the peer's, their ratio and the target.
 * NAME is a file of this folder without `.bench.ts`. With --write the tables go to docs/benchmarks.md too.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bench, type Figure, median, meets } from './figure.ts'

const SUFFIX = '.bench.ts'
const here = import.meta.dirname
const { values, positionals } = parseArgs({
  options: { write: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const known = readdirSync(here)
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length))
const unknown = positionals.filter((name) => !known.includes(name))
if (unknown.length > 0) {
  console.error(`there is no benchmark ${unknown.join(', ')}; there are: ${known.join(', ')}`)
  process.exit(2)
}

const sections: string[] = []
let missed = 0
for (const name of positionals.length > 0 ? positionals : known) {
  const { bench } = (await import(join(here, `${name}${SUFFIX}`))) as { bench: Bench }
  console.log(`\n${name}: ${bench.about}`)
  const figures = await bench.run((line) => console.log(`  ${line}`))
  missed += figures.filter((figure) => meets(figure) === false).length
  const table = tableOf(figures)
  console.log(`\n${table}`)
  sections.push(`## ${name}\n\n${bench.about}\n\n${table}`)
}
if (values.write) writeFileSync(join(here, '../docs/benchmarks.md'), pageOf(sections))
console.log(missed === 0 ? '\nevery target was met' : `\n${missed} targets were missed`)
process.exit(missed === 0 ? 0 : 1)

function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, unit, ours, peer, target } = figure
    const value = median(ours)
    const other = peer === undefined ? undefined : median(peer.values)
    const bound = target === undefined ? '' : 'max' in target ? `≤ ${show(target.max)}` : `≥ ${show(target.min)}`
    const verdict = { true: ' ✓', false: ' ✗', undefined: '' }[String(meets(figure))] ?? ''
    return [
      name,
      `${show(value)} ${unit}`,
      other === undefined ? '' : `${show(other)} ${unit} (${peer?.name})`,
      other === undefined ? '' : `${show(value / other)}×`,
      `${bound}${verdict}`,
      String(ours.length),
    ]
  })
  const lines = [
    ['figure', 'ours', 'peer', 'ours / peer', 'target', 'runs'],
    Array.from({ length: 6 }, () => '---'),
    ...rows,
  ]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function show(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value >= 10 ? value.toFixed(1) : value.toPrecision(2)
}

function pageOf(parts: readonly string[]): string {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`
  const head = '<!-- Written by `npm run bench -- --write`; do not edit. -->\n\n# Benchmarks'
  const about = `Medians, ours and the peer's run in turn on one machine: ${machine}, Node.js ${process.versions.node}. Read the ratios; the absolute figures are this machine's.`
  return `${[head, about, ...parts].join('\n\n')}\n`
}
