/*
 * Draws the metric curve with Chart.js. Everything it shows also stands in the page's tables.
 *
 * Chart.js and its colour library (embedded above this script) are
 * Copyright (c) 2014-2022 Chart.js Contributors, under the MIT licence:
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
 * associated documentation files (the "Software"), to deal in the Software without restriction,
 * including without limitation the rights to use, copy, modify, merge, publish, distribute,
 * sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions: The above copyright notice and this
 * permission notice shall be included in all copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
 * NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
 * NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
 * DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
 * OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
 */
(function () {
  'use strict';
  var holder = document.getElementById('data');
  var canvas = document.getElementById('chart');
  if (!holder || !canvas || typeof Chart === 'undefined') return;
  var data = JSON.parse(holder.textContent);
  var points = data.points.filter(function (p) { return p.v !== null && p.i !== null; });
  if (!points.length) return;
  document.documentElement.classList.add('js');

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  }
  function show(v) {
    if (v === null || v === undefined) return '–';
    return data.percent ? (v * 100).toFixed(1) + '\u202f%' : String(+v.toPrecision(4));
  }
  function kind(p) {
    if (p.champion) return 'champion';
    if (p.state === 'rolled back' || p.verdict === 'worse') return 'worse';
    if (p.verdict === 'undecided') return 'undecided';
    return 'improved';
  }
  function best() { /* the published score: it moves only where a candidate was accepted */
    var out = [], value = null;
    points.forEach(function (p) {
      if (value === null || p.verdict === 'improved' || p.champion) value = p.v;
      out.push({ x: p.i, y: value });
    });
    return out;
  }

  var seen = points.map(function (p) { return p.v; })
    .concat(points.map(function (p) { return p.low; }), points.map(function (p) { return p.high; }))
    .filter(function (v) { return v !== null; });
  var lo = Math.min.apply(null, seen), hi = Math.max.apply(null, seen);
  var room = (hi - lo) || Math.abs(hi) * 0.1 || 1;
  /* A reference far away (the majority class, say) would flatten the curve: it stays in the key. */
  var lines = data.lines.filter(function (l) {
    var reach = room * (points.length < 3 ? 5 : 1);
    return l.v >= lo - reach && l.v <= hi + reach;
  });
  lines.forEach(function (l) { lo = Math.min(lo, l.v); hi = Math.max(hi, l.v); });
  var pad = (hi - lo || room) * 0.08;
  lo -= pad;
  hi += pad;
  if (data.percent) {
    lo = Math.max(0, lo);
    hi = Math.min(1.01, hi);
  }

  var marks = { /* error bars, reference lines and their names, which Chart.js does not draw */
    id: 'marks',
    beforeDatasetsDraw: function (chart) {
      var c = chart.ctx, x = chart.scales.x, y = chart.scales.y, area = chart.chartArea;
      c.save();
      lines.forEach(function (l) {
        var at = y.getPixelForValue(l.v);
        c.strokeStyle = l.kind === 'target' ? colour('green') : colour('grey');
        c.lineWidth = 1.5;
        c.setLineDash(l.kind === 'target' ? [7, 5] : [2, 4]);
        c.beginPath();
        c.moveTo(area.left, at);
        c.lineTo(area.right, at);
        c.stroke();
      });
      c.setLineDash([]);
      points.forEach(function (p) {
        if (p.low === null || p.high === null) return;
        var k = kind(p), at = x.getPixelForValue(p.i);
        var top = y.getPixelForValue(p.high), bottom = y.getPixelForValue(p.low);
        c.strokeStyle = k === 'worse' ? colour('orange') : k === 'undecided' ? colour('grey') : colour('blue');
        c.globalAlpha = k === 'champion' ? 0.9 : 0.5;
        c.lineWidth = points.length > 30 ? 1 : 1.5;
        c.beginPath();
        c.moveTo(at, top);
        c.lineTo(at, bottom);
        if (points.length <= 30) {
          c.moveTo(at - 3.5, top);
          c.lineTo(at + 3.5, top);
          c.moveTo(at - 3.5, bottom);
          c.lineTo(at + 3.5, bottom);
        }
        c.stroke();
      });
      c.restore();
    },
    afterDatasetsDraw: function (chart) {
      var c = chart.ctx, x = chart.scales.x, y = chart.scales.y, area = chart.chartArea;
      var taken = [];
      function free(at) {
        while (taken.some(function (t) { return Math.abs(t - at) < 14; })) at += 14;
        taken.push(at);
        return at;
      }
      function label(text, px, py, paint, align, weight) {
        c.font = weight + ' 12px ' + colour('sans');
        c.textAlign = align;
        c.lineWidth = 4;
        c.lineJoin = 'round';
        c.strokeStyle = colour('bg');
        c.strokeText(text, px, py);
        c.fillStyle = paint;
        c.fillText(text, px, py);
      }
      c.save();
      lines.slice().sort(function (a, b) { return b.v - a.v; }).forEach(function (l) {
        var name = l.name.length > 28 ? l.name.slice(0, 27) + '…' : l.name;
        label(name + ' ' + show(l.v), area.left + 6, free(y.getPixelForValue(l.v) - 5),
          l.kind === 'target' ? colour('green') : colour('grey'), 'left', '500');
      });
      points.forEach(function (p) {
        if (!p.champion) return;
        var at = x.getPixelForValue(p.i), py = y.getPixelForValue(p.v);
        var left = at > (area.left + area.right) / 2;
        label(show(p.v), at + (left ? -12 : 12), py - 11, colour('blue'), left ? 'right' : 'left', '600');
      });
      c.restore();
    }
  };

  function series(which, style) {
    var of = points.filter(function (p) { return kind(p) === which; });
    return Object.assign({
      type: 'line', showLine: false, label: which,
      data: of.map(function (p) { return { x: p.i, y: p.v, p: p }; })
    }, style);
  }
  function paint() {
    var small = points.length > 30 ? 3 : 4.5;
    var blue = colour('blue'), grey = colour('grey'), orange = colour('orange'), bg = colour('bg');
    return [
      series('champion', { pointRadius: small + 2.5, pointHoverRadius: small + 4, pointBackgroundColor: blue,
        pointBorderColor: bg, pointBorderWidth: 2.5, order: 1 }),
      series('improved', { pointRadius: small, pointHoverRadius: small + 2, pointBackgroundColor: blue,
        pointBorderColor: bg, pointBorderWidth: 1, order: 2 }),
      series('undecided', { pointRadius: small, pointHoverRadius: small + 2, pointBackgroundColor: bg,
        pointBorderColor: grey, pointBorderWidth: 2, order: 3 }),
      series('worse', { pointStyle: 'crossRot', pointRadius: small + 1, pointHoverRadius: small + 3,
        pointBackgroundColor: orange, pointBorderColor: orange, pointBorderWidth: 2.5, order: 3 }),
      { type: 'line', label: 'best so far', data: best(), stepped: true, borderColor: blue,
        borderWidth: 2, pointRadius: 0, pointHitRadius: 0, pointHoverRadius: 0, order: 9 }
    ];
  }
  function options() {
    var ink = colour('soft'), grid = colour('rule');
    var first = points[0].i, last = points[points.length - 1].i;
    return {
      responsive: true, maintainAspectRatio: false, animation: false,
      layout: { padding: { top: 10, right: 10 } },
      interaction: { mode: 'nearest', intersect: true },
      scales: {
        x: { type: 'linear', min: first - 0.5, max: last + 0.5,
          title: { display: true, text: 'iteration', color: ink },
          grid: { display: false, borderColor: grid },
          afterBuildTicks: function (axis) {
            var step = Math.max(1, Math.ceil((last - first) / 15)), ticks = [];
            for (var i = first; i <= last; i += step) ticks.push({ value: i });
            axis.ticks = ticks;
          },
          ticks: { color: ink, autoSkip: false, maxRotation: 0, callback: function (v) { return v; } } },
        y: { min: lo, max: hi,
          grid: { color: grid, borderColor: 'transparent', drawTicks: false },
          ticks: { color: ink, padding: 8, maxTicksLimit: 7, includeBounds: false,
            callback: function (v) {
              return data.percent ? +(v * 100).toFixed(1) + '\u202f%' : String(+v.toPrecision(4));
            } } }
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          displayColors: false, filter: function (item) { return !!item.raw.p; },
          callbacks: {
            title: function (items) {
              var p = items.length && items[0].raw.p;
              return p ? 'Iteration ' + p.i + (p.verdict ? ': ' + p.verdict : '') : '';
            },
            label: function (item) {
              var p = item.raw.p, out = [show(p.v)];
              if (p.low !== null && p.high !== null) out[0] += '  (' + show(p.low) + ' to ' + show(p.high) + ')';
              if (p.gain !== null) {
                out.push('gain ' + (p.gain < 0 ? '−' : '+') +
                  (data.percent ? Math.abs(p.gain * 100).toFixed(1) + ' points' : Math.abs(p.gain).toPrecision(3)));
              }
              return out;
            }
          }
        }
      }
    };
  }

  Chart.defaults.font.family = colour('sans');
  Chart.defaults.font.size = 12;
  var chart = new Chart(canvas, { data: { datasets: paint() }, options: options(), plugins: [marks] });
  function repaint() {
    chart.data.datasets = paint();
    chart.options = options();
    chart.resize();
    chart.update('none');
  }
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
  var closed = [];
  window.addEventListener('beforeprint', function () { /* paper shows everything */
    closed = Array.prototype.slice.call(document.querySelectorAll('details:not([open])'));
    closed.forEach(function (d) { d.open = true; });
    repaint();
  });
  window.addEventListener('afterprint', function () {
    closed.forEach(function (d) { d.open = false; });
    repaint();
  });
  function openTarget() { /* a link to an iteration opens it */
    var to = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (to && to.tagName === 'DETAILS') to.open = true;
  }
  window.addEventListener('hashchange', openTarget);
  openTarget();
})();

/* The learning curve of the fixed model: parts of the train split, all of it, and (apart from the
 * line) the part whose labels are trusted. */
(function () {
  'use strict';
  var holder = document.getElementById('data');
  var canvas = document.getElementById('learning');
  if (!holder || !canvas || typeof Chart === 'undefined') return;
  var data = JSON.parse(holder.textContent);
  var points = (data.learning || []).filter(function (p) { return p.v !== null && p.n > 0; });
  if (!points.length) return;
  document.documentElement.classList.add('js');

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  }
  function show(v) {
    return data.percent ? (v * 100).toFixed(1) + '\u202f%' : String(+v.toPrecision(4));
  }
  function trusted(p) { return p.kind === 'trusted'; }
  function at(p) { return { x: p.n, y: p.v, p: p }; }
  var sizes = points.map(function (p) { return p.n; });
  var bars = {
    id: 'bars',
    beforeDatasetsDraw: function (chart) {
      var c = chart.ctx, x = chart.scales.x, y = chart.scales.y;
      c.save();
      c.globalAlpha = 0.5;
      c.lineWidth = 1.5;
      points.forEach(function (p) {
        if (p.low === null || p.high === null) return;
        c.strokeStyle = colour(trusted(p) ? 'green' : 'blue');
        c.beginPath();
        c.moveTo(x.getPixelForValue(p.n), y.getPixelForValue(p.low));
        c.lineTo(x.getPixelForValue(p.n), y.getPixelForValue(p.high));
        c.stroke();
      });
      c.restore();
    }
  };
  function datasets() {
    var style = { pointRadius: 4.5, pointHoverRadius: 6.5, pointBorderColor: colour('bg') };
    return [
      Object.assign({ type: 'line', label: 'train as it is',
        data: points.filter(function (p) { return !trusted(p); }).map(at),
        borderColor: colour('blue'), borderWidth: 2, pointBackgroundColor: colour('blue') }, style),
      Object.assign({ type: 'line', showLine: false, label: 'without suspect labels', pointStyle: 'rectRot',
        data: points.filter(trusted).map(at), pointBackgroundColor: colour('green') }, style,
        { pointRadius: 6 })
    ];
  }
  function options() {
    var ink = colour('soft'), grid = colour('rule');
    var all = points.map(function (p) { return p.low === null ? p.v : p.low; })
      .concat(points.map(function (p) { return p.high === null ? p.v : p.high; }));
    var lo = Math.min.apply(null, all), hi = Math.max.apply(null, all), pad = (hi - lo || 0.1) * 0.08;
    return {
      responsive: true, maintainAspectRatio: false, animation: false,
      interaction: { mode: 'nearest', intersect: true },
      scales: {
        x: { type: 'logarithmic', min: Math.min.apply(null, sizes) * 0.9, max: Math.max.apply(null, sizes) * 1.1,
          title: { display: true, text: 'labelled train samples', color: ink },
          grid: { display: false, borderColor: grid },
          afterBuildTicks: function (axis) {
            axis.ticks = points.filter(function (p) { return !trusted(p); })
              .map(function (p) { return { value: p.n }; });
          },
          ticks: { color: ink, autoSkip: false, maxRotation: 0, callback: function (v) { return String(v); } } },
        y: { min: lo - pad, max: data.percent ? Math.min(1.01, hi + pad) : hi + pad,
          grid: { color: grid, borderColor: 'transparent', drawTicks: false },
          ticks: { color: ink, padding: 8, maxTicksLimit: 6, includeBounds: false, callback: show } }
      },
      plugins: {
        legend: { display: true, position: 'bottom', labels: { color: ink, usePointStyle: true } },
        tooltip: {
          displayColors: false,
          callbacks: {
            title: function (items) { return items.length ? items[0].raw.p.n + ' samples' : ''; },
            label: function (item) {
              var p = item.raw.p;
              return show(p.v) + (p.low === null ? '' : '  (' + show(p.low) + ' to ' + show(p.high) + ')');
            }
          }
        }
      }
    };
  }
  var chart = new Chart(canvas, { data: { datasets: datasets() }, options: options(), plugins: [bars] });
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', function () {
    chart.data.datasets = datasets();
    chart.options = options();
    chart.update('none');
  });
})();
