import type { TreeFile, TreeItem } from '../../../core/tree.ts'

/** How a folder of definitions is laid out, in words. Pure. */
export function describeLayout(files: readonly TreeFile[], items: readonly TreeItem[]): readonly string[] {
  const paths = [...new Set(items.map(({ path }) => path))]
  const words: string[] = []
  if (files.some(({ path }) => /^datasets\.ya?ml$/.test(path))) words.push('an ordered manifest (datasets.yaml)')
  const template = files.find(({ path }) => /^(?:datasets\.)?template\.xml$/.test(path))
  if (template !== undefined) words.push(`a template (${template.path})`)
  if (paths.length > 1 && paths.every((path) => /(?:^|\/)datasets?\.xml$/.test(path) && path.includes('/'))) {
    words.push('a folder for each dataset')
  } else if (paths.some((path) => path.replace(/^datasets\.d\//, '').includes('/'))) words.push('nested folders')
  else words.push('one flat folder')
  const many = paths.filter((path) => items.filter((item) => item.path === path).length > 1).length
  if (many > 0) words.push(`${counted(many, 'file')} with several datasets`)
  const others = files.filter(({ path }) => !/\.(?:xml|ya?ml)$/i.test(path))
  if (others.length > 0)
    words.push(
      `${counted(others.length, 'other file')}, ${others.length === 1 ? 'which travels' : 'which travel'} along: ${endingsOf(others)}`,
    )
  return words
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

const ENDINGS_MAX = 5

function endingsOf(files: readonly TreeFile[]): string {
  const endings = new Set(files.map(({ path }) => /\.[A-Za-z0-9]{1,8}$/.exec(path)?.[0] ?? 'no ending'))
  return [...endings].toSorted().slice(0, ENDINGS_MAX).join(' ')
}
