// quern and zvec over the same sparse vectors, in turn, in one process. README.md says how to run it.
import { Quern } from './quern_ways.mjs';
import { Zvec, initialize } from './zvec_ways.mjs';
import { readSet, score, trueScores } from './sparse_records.mjs';

const options = {
  data: process.env.QUERN_DATA ?? '../../../../../shared/data',
  set: 'nfcorpus', records: 0, queries: 200, rounds: 3, k: 10, 'hnsw-m': 32, 'ef-construction': 200,
  efs: '100,500', library: '../../../../build/release/capi/libquern.so', approximate: 'no', hnsw: 'yes',
};
for (let i = 2; i < process.argv.length; i += 2) {
  const name = process.argv[i].replace(/^--/, '');
  if (!(name in options) || i + 1 >= process.argv.length) {
    console.error('options: ' + Object.entries(options).map(([key, value]) => `--${key} ${value}`).join(' '));
    process.exit(2);
  }
  options[name] = typeof options[name] === 'number' ? Number(process.argv[i + 1]) : process.argv[i + 1];
}

const { records, queries } = readSet(options.data, options.set, options.records, options.queries);
const entries = (list) => (list.reduce((sum, row) => sum + row.length, 0) / list.length).toFixed(1);
console.log(`${options.set}: ${records.length} records of ${entries(records)} entries, ` +
            `${queries.length} queries of ${entries(queries)}, k = ${options.k}`);
const truth = trueScores(records, queries, options.k);

const seconds = (usage) => (usage.user + usage.system) / 1e6;
const timed = (name, work) => {
  const before = process.cpuUsage();
  work();
  console.log(`${name}: loaded in ${seconds(process.cpuUsage(before)).toFixed(1)} s of CPU`);
};

initialize();
const quern = new Quern(options.library);
console.log(quern.version());
timed('quern', () => quern.load(records, options.approximate === 'yes' ? 'approx=graph' : null));
const flat = new Zvec('flat');
timed('zvec flat', () => flat.load(records));
const ways = [
  { name: 'quern, exact', runs: queries.map((query) => quern.prepare(query, options.k, null)) },
  { name: 'quern, bound=0.6', runs: queries.map((query) => quern.prepare(query, options.k, 'bound=0.6')) },
  { name: 'zvec, flat', runs: queries.map((query) => flat.prepare(query, options.k)) },
];
if (options.approximate === 'yes') {
  ways.push({ name: 'quern, ef=32', runs: queries.map((query) => quern.prepare(query, options.k, 'ef=32')) });
}
let hnsw = null;
if (options.hnsw === 'yes') {
  hnsw = new Zvec('hnsw', { m: options['hnsw-m'], efConstruction: options['ef-construction'] });
  timed('zvec hnsw', () => hnsw.load(records));
  for (const ef of options.efs.split(',').map(Number)) {
    ways.push({ name: `zvec, hnsw ef=${ef}`, runs: queries.map((query) => hnsw.prepare(query, options.k, ef)) });
  }
}

// What is as good as the last true record counts; scores are computed here, from the records.
function recall(way) {
  let found = 0;
  let wanted = 0;
  queries.forEach((query, q) => {
    const sums = truth[q].sums.filter((sum) => sum > 0);
    const least = sums.length > 0 ? sums[sums.length - 1] * (1 - 1e-6) : 0;
    const keys = new Set(way.answers[q].slice(0, options.k));
    found += Math.min(sums.length, [...keys].filter((key) => score(records[key], query) >= least).length);
    wanted += sums.length;
  });
  return found / wanted;
}

for (const way of ways) {
  way.answers = way.runs.map((run) => run());
  way.recall = recall(way);
  way.times = [];
}
for (let round = 0; round < options.rounds; round++) {
  for (const way of ways) {
    const before = process.cpuUsage();
    for (const run of way.runs) run();
    way.times.push(seconds(process.cpuUsage(before)) / queries.length * 1e6);
  }
}
const median = (list) => list.slice().sort((a, b) => a - b)[Math.floor(list.length / 2)];
console.log('\n| way | us a query (least-most) | recall | quern, exact, is so many times as fast |\n|---|---|---|---|');
for (const way of ways) {
  const ratios = way.times.map((time, round) => time / ways[0].times[round]);
  console.log(`| ${way.name} | ${median(way.times).toFixed(0)} (${Math.min(...way.times).toFixed(0)}-` +
              `${Math.max(...way.times).toFixed(0)}) | ${way.recall.toFixed(4)} | ${median(ratios).toFixed(1)} |`);
}
flat.remove();
hnsw?.remove();
quern.close(quern.db);
