import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import type { CheckContext, CheckResult, FileTree, TreeItem } from '../../../core/tree.ts'
import type { FragmentCache } from './cache.ts'
import { type Finding, isOlder } from './finding.ts'
import type { FragmentDataset } from './fragment.ts'
import { type LoadedTree, loadTree, type Source } from './load.ts'

/** Everything that can be known from the bytes of a tree: its problems, by file and place, and its datasets. */
export async function checkTree(
  tree: FileTree,
  context: CheckContext,
  cache: FragmentCache,
  op?: Op,
): Promise<CheckResult> {
  const loaded = await loadTree(tree, { cache }, op)
  return { problems: problemsOf(loaded, context), items: itemsOf(loaded, context) }
}

/** The sources in the order of the compiled file, as far as datasets are concerned. */
export function sourcesOf({ template, fragments }: LoadedTree): readonly Source[] {
  return template === undefined ? fragments : [template, ...fragments]
}

export function problemsOf(loaded: LoadedTree, context: CheckContext): readonly Problem[] {
  const problems: Problem[] = [...loaded.problems]
  if (loaded.template !== undefined) problems.push(...templateProblems(loaded.template))
  for (const source of loaded.fragments) problems.push(...kindProblems(source))
  for (const source of sourcesOf(loaded)) problems.push(...findingProblems(source, context))
  problems.push(...duplicates(loaded))
  const nothing = sourcesOf(loaded).every(({ fragment }) => fragment.datasets.length === 0)
  if (nothing && !problems.some(({ severity }) => severity === 'error')) problems.push(EMPTY)
  return problems
}

/** The place in the source folder behind a line of a source. */
export function placeIn({ parts }: Source, line: number): { readonly file: string; readonly line: number } {
  const part = parts.findLast((candidate) => candidate.line <= line) ?? parts[0]
  return { file: part?.path ?? '', line: line - (part?.line ?? 1) + 1 }
}

/** Whether a dataset is active once an operator's overrides are applied. */
export function isActiveWith(overrides: Readonly<Record<string, boolean>>, { id, active }: FragmentDataset): boolean {
  return overrideOf(overrides, id) ?? active
}

export function overrideOf(overrides: Readonly<Record<string, boolean>>, id: string): boolean | undefined {
  return Object.hasOwn(overrides, id) ? overrides[id] : undefined
}

const EMPTY: Problem = {
  severity: 'error',
  code: 'EMPTY',
  file: '.',
  message: 'no dataset was found',
  hint: 'Put <dataset> fragments, one or more to a file ending in .xml, into the folder.',
}

function itemsOf(loaded: LoadedTree, { active = {} }: CheckContext): readonly TreeItem[] {
  const items = new Map<string, TreeItem>()
  for (const source of sourcesOf(loaded)) {
    for (const dataset of source.fragment.datasets) {
      const { id, type, digest } = dataset
      if (id === '' || items.has(id)) continue
      const { file, line } = placeIn(source, dataset.line)
      items.set(id, { id, type, active: isActiveWith(active, dataset), path: file, line, digest })
    }
  }
  return [...items.values()]
}

function templateProblems(source: Source): readonly Problem[] {
  const { kind, findings } = source.fragment
  if (kind === 'collection' || findings.some(({ severity }) => severity === 'error')) return []
  const hint = 'A template is a datasets.xml without the fragments: <erddapDatasets> … </erddapDatasets>.'
  const message = 'the template has no <erddapDatasets> around everything'
  return [{ severity: 'error', code: 'TEMPLATE_ROOT', ...placeIn(source, 1), message, hint }]
}

function kindProblems(source: Source): readonly Problem[] {
  if (source.fragment.kind !== 'collection') return []
  const message = 'a fragment must not be wrapped in <erddapDatasets>'
  const hint = 'Leave only what is inside; a template is called datasets.template.xml.'
  return [{ severity: 'error', code: 'ROOT_WRAPPER', ...placeIn(source, source.fragment.line), message, hint }]
}

function findingProblems(source: Source, context: CheckContext): readonly Problem[] {
  const problems: Problem[] = []
  for (const finding of source.fragment.findings) {
    if (!counts(finding, context)) continue
    const dataset = finding.within === undefined ? undefined : source.fragment.datasets[finding.within]
    const skipped =
      finding.onlyIfActive === true && dataset !== undefined && !isActiveWith(context.active ?? {}, dataset)
    problems.push({
      severity: skipped ? 'warning' : finding.severity,
      code: finding.code,
      ...placeIn(source, finding.line),
      column: finding.column,
      message: finding.message,
      ...(finding.hint !== undefined && { hint: finding.hint }),
      ...(dataset !== undefined && dataset.id !== '' && { dataset: dataset.id }),
    })
  }
  return problems
}

/** ERDDAP replaces `${…}` in datasets.xml from this version on. */
const SUBSTITUTES_SINCE = '2.29'

function counts({ code, since, nodeValue }: Finding, { version, nodeValues }: CheckContext): boolean {
  if (since !== undefined) return version !== undefined && isOlder(version, since)
  if (nodeValue !== undefined) return nodeValues !== undefined && !nodeValues.has(nodeValue)
  return code !== 'ENV_SUBSTITUTION' || version === undefined || !isOlder(version, SUBSTITUTES_SINCE)
}

function duplicates(loaded: LoadedTree): readonly Problem[] {
  const problems: Problem[] = []
  const first = new Map<string, { readonly file: string; readonly line: number }>()
  for (const source of sourcesOf(loaded)) {
    for (const { id, line } of source.fragment.datasets) {
      const place = placeIn(source, line)
      const before = first.get(id)
      if (id !== '' && before === undefined) first.set(id, place)
      if (id === '' || before === undefined) continue
      const message = `the datasetID "${id}" is also in ${before.file}:${before.line}`
      const hint = 'Give one of them another id, or remove it.'
      problems.push({ severity: 'error', code: 'ID_DUPLICATE', ...place, message, hint, dataset: id })
    }
  }
  return problems
}
