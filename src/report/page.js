// Adds to a page that reads without it: sliders in place of rows of drawings, and values under the pointer.
(() => {
  'use strict';
  for (const panels of document.querySelectorAll('.panels[data-sliders]')) {
    const axes = JSON.parse(panels.dataset.sliders);
    const frames = [...panels.children];
    const group = document.createElement('div');
    group.className = 'sliders';
    const inputs = axes.map(([name, values]) => {
      const label = document.createElement('label');
      const input = document.createElement('input');
      const output = document.createElement('output');
      Object.assign(input, {type: 'range', min: 0, max: values.length - 1, step: 1});
      input.value = Math.floor(values.length / 2);
      input.addEventListener('input', show);
      label.append(name + ' ', input, output);
      group.append(label);
      return input;
    });
    function show() {
      let at = 0;
      inputs.forEach((input, i) => {
        const [name, values] = axes[i];
        at = at * values.length + Number(input.value);
        input.nextElementSibling.value = values[input.value];
        input.setAttribute('aria-valuetext', name + ' ' + values[input.value]);
      });
      frames.forEach((frame, i) => { frame.style.display = i === at ? '' : 'none'; });
    }
    panels.classList.add('one');
    panels.before(group);
    show();
  }

  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.setAttribute('aria-hidden', 'true');
  document.body.append(tip);
  // Drawn to a tenth of a pixel: with the digits that are sure then.
  const value = (axis, share, pixels) => {
    const [low, high, log] = axis.split(' ').map(Number);
    const x = low + share * (high - low);
    const decimals = Math.floor(-Math.log10((high - low) / (5 * pixels)));
    const shown = log ? (10 ** x).toPrecision(3) : x.toFixed(Math.min(Math.max(decimals, 0), 20));
    return String(Number(shown)).replace('-', '\u2212');
  };
  // The points of a line, and the middle of a mark: a circle, the corners of a polygon, one stroke of a cross.
  const places = shape => {
    if (shape.tagName === 'circle') return [{x: shape.cx.baseVal.value, y: shape.cy.baseVal.value}];
    const points = [...shape.points];
    if (shape.tagName === 'polyline' && points.length > 2) return points;
    const {width, height} = shape.getBBox();
    const isStroke = points.length === 2 && Math.abs(width - 6.4) + Math.abs(height - 6.4) < 0.1;
    if (shape.tagName === 'polyline' && !isStroke) return points;
    // What is larger than a mark is an area.
    if (Math.max(width, height) > 20) return [];
    const mean = side => points.reduce((sum, point) => sum + point[side], 0) / points.length;
    return [{x: mean('x'), y: mean('y')}];
  };
  document.addEventListener('pointermove', event => {
    const svg = event.target.closest && event.target.closest('svg[data-x]');
    const area = svg && svg.querySelector('svg');
    tip.style.display = 'none';
    if (!area) return;
    // The drawing goes a pixel beyond the axes on each side.
    const [x, y, w, h] = [area.x, area.y, area.width, area.height].map((side, i) => side.baseVal.value + [1, 1, -2, -2][i]);
    const scale = svg.getScreenCTM();
    const here = [(event.clientX - scale.e) / scale.a, (event.clientY - scale.f) / scale.d];
    if (here[0] < x || here[0] > x + w || here[1] < y || here[1] > y + h) return;
    // The values of a point of a line or of a mark that is near, else those of the place.
    let [near, shape, least] = [here, null, (10 / scale.a) ** 2];
    for (const other of area.querySelectorAll('polyline, polygon, circle')) {
      for (const point of places(other)) {
        const off = (point.x - here[0]) ** 2 + (point.y - here[1]) ** 2;
        if (off < least) [near, shape, least] = [[point.x, point.y], other, off];
      }
    }
    const style = shape && getComputedStyle(shape);
    tip.style.borderLeftColor = !style ? 'transparent' : style.fill === 'none' ? style.stroke : style.fill;
    const parts = [];
    if (svg.dataset.x) parts.push(value(svg.dataset.x, (near[0] - x) / w, w));
    if (svg.dataset.y) parts.push(value(svg.dataset.y, 1 - (near[1] - y) / h, h));
    tip.textContent = parts.length > 1 ? '(' + parts.join(', ') + ')' : parts[0];
    tip.style.display = 'block';
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 4) + 'px';
    tip.style.top = Math.max(event.clientY - 30, 4) + 'px';
  });
})();
