// The vectors that are searched, the queries, and their true answers.
import { execFileSync } from 'node:child_process';
import { readFileSync, existsSync } from 'node:fs';

// One JSON object a line, with {"vector": {word: weight}}; words get dimensions as they appear.
function readWords(path, dimensions) {
  const text = execFileSync('zstd', ['-dc', path], { maxBuffer: 2 ** 30 }).toString();
  return text.split('\n').filter((line) => line).map((line) => {
    const entries = Object.entries(JSON.parse(line).vector).map(([word, weight]) => {
      if (!dimensions.has(word)) dimensions.set(word, dimensions.size);
      return [dimensions.get(word), weight];
    });
    return entries.sort((a, b) => a[0] - b[0]);
  });
}

// The CSR file of bench_sparse, and its queries.
function readCsr(prefix) {
  const bytes = readFileSync(prefix + '.csr');
  const rows = Number(bytes.readBigUInt64LE(0));
  const entries = Number(bytes.readBigUInt64LE(16));
  const dims = 24 + 8 * (rows + 1);
  const records = [];
  for (let row = 0; row < rows; row++) {
    const first = Number(bytes.readBigUInt64LE(24 + 8 * row));
    const end = Number(bytes.readBigUInt64LE(32 + 8 * row));
    const record = [];
    for (let i = first; i < end; i++) {
      record.push([bytes.readUInt32LE(dims + 4 * i), bytes[dims + 4 * entries + i]]);
    }
    records.push(record);
  }
  const queries = readFileSync(prefix + '.queries.txt').toString().split('\n').filter((line) => line)
    .map((line) => line.trim().split(/\s+/).map((word) => word.split(':').map(Number)).sort((a, b) => a[0] - b[0]));
  return { records, queries };
}

// The same numbers every time.
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// Half of each of two records, until there are as many as wanted: near-duplicates.
function mix(records, wanted) {
  const random = randomNumbers(7);
  const mixed = records.slice(0, wanted);
  while (mixed.length < wanted) {
    const entries = new Map();
    for (const record of [records[random(records.length)], records[random(records.length)]]) {
      for (const [dimension, weight] of record) {
        if (random(2) === 1) entries.set(dimension, Math.max(weight, entries.get(dimension) ?? 0));
      }
    }
    if (entries.size > 0) mixed.push([...entries].sort((a, b) => a[0] - b[0]));
  }
  return mixed;
}

export function readSet(data, set, recordsMax, queriesMax) {
  let { records, queries } = { records: [], queries: [] };
  const dimensions = new Map();
  if (set === 'nfcorpus') {
    records = readWords(`${data}/nfcorpus/splade-v3.docs.jsonl.zst`, dimensions);
    queries = readWords(`${data}/nfcorpus/splade-v3.queries.jsonl.zst`, dimensions);
  } else if (set === 'splade-queries') {
    const all = readWords(`${data}/splade-queries/splade-v3.jsonl.zst`, dimensions);
    records = all.filter((_, i) => i % 25 !== 0);
    queries = all.filter((_, i) => i % 25 === 0);
  } else if (existsSync(set + '.csr')) {
    ({ records, queries } = readCsr(set));
  } else {
    throw new Error(`no set ${set}: nfcorpus, splade-queries, or the path of a CSR file without .csr`);
  }
  return { records: mix(records, recordsMax || records.length), queries: queries.slice(0, queriesMax) };
}

// The k-th best score of each query among all records, by an inverted index of numbers in double
// precision; 0: fewer have a dimension in common.
export function trueScores(records, queries, k) {
  const lists = new Map();
  records.forEach((record, row) => {
    for (const [dimension, weight] of record) {
      if (!lists.has(dimension)) lists.set(dimension, []);
      lists.get(dimension).push(row, weight);
    }
  });
  const sums = new Float64Array(records.length);
  return queries.map((query) => {
    sums.fill(0);
    for (const [dimension, weight] of query) {
      const list = lists.get(dimension) ?? [];
      for (let i = 0; i < list.length; i += 2) sums[list[i]] += weight * list[i + 1];
    }
    return { sums: Float64Array.from(sums).sort().slice(-k).reverse() };
  });
}

// The score of one record, for what an index says of it.
export function score(record, query) {
  const weights = new Map(record);
  return query.reduce((sum, [dimension, weight]) => sum + weight * (weights.get(dimension) ?? 0), 0);
}
