"use strict";
// The robot and the ground, drawn with three.js. World axes are MuJoCo's: z points up.

const TILE = 1; // m
const SLOW_FRAME_S = 0.07;

class Scene {
  /** robot: [{body, color, first, count}] of triangle corners; positions: Int16, 0.1 mm; normals: Int8. */
  constructor(canvas, robot, positions, normals) {
    this.canvas = canvas;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true });
    this.renderer.shadowMap.enabled = true;
    this.scene = new THREE.Scene();
    this.scene.fog = new THREE.Fog(0, 6, 22);
    this.camera = new THREE.PerspectiveCamera(40, 1, 0.05, 60);
    this.camera.up.set(0, 0, 1);
    this.orbit = { azimuth: -2.2, elevation: 0.22, distance: 3.4 };
    this.target = new THREE.Vector3(0, 0, 0.75);
    this.addLights();
    this.addFloor();
    this.bodies = this.addRobot(robot, positions, normals);
    this.arrow = this.addArrow();
    this.pixelRatio = Math.min(window.devicePixelRatio || 1, 2);
    this.frameSeconds = 0;
    this.followPointer();
  }

  addLights() {
    this.scene.add(new THREE.HemisphereLight(0xffffff, 0x8090a0, 1.7));
    const sun = new THREE.DirectionalLight(0xffffff, 2.2);
    sun.castShadow = true;
    sun.shadow.mapSize.set(1024, 1024);
    Object.assign(sun.shadow.camera, { left: -1.4, right: 1.4, top: 1.4, bottom: -1.4, near: 0.5, far: 8 });
    sun.shadow.radius = 4;
    this.sun = sun;
    this.scene.add(sun, sun.target);
  }

  addFloor() {
    this.tiles = document.createElement("canvas");
    this.tiles.width = this.tiles.height = 128;
    this.floorTexture = new THREE.CanvasTexture(this.tiles);
    this.floorTexture.wrapS = this.floorTexture.wrapT = THREE.RepeatWrapping;
    this.floorTexture.repeat.set(30, 30);
    this.floorTexture.anisotropy = 8;
    this.floorTexture.colorSpace = THREE.SRGBColorSpace;
    this.floor = new THREE.Mesh(
      new THREE.PlaneGeometry(60 * TILE, 60 * TILE),
      new THREE.MeshLambertMaterial({ map: this.floorTexture }),
    );
    this.floor.receiveShadow = true;
    this.scene.add(this.floor);
  }

  addRobot(robot, positions, normals) {
    const bodies = new Map();
    for (const { body, color, first, count } of robot) {
      const geometry = new THREE.BufferGeometry();
      const part = (values, scale) => Float32Array.from(values.subarray(3 * first, 3 * (first + count)), (v) => v * scale);
      geometry.setAttribute("position", new THREE.BufferAttribute(part(positions, 1e-4), 3));
      geometry.setAttribute("normal", new THREE.BufferAttribute(part(normals, 1 / 127), 3));
      const material = new THREE.MeshStandardMaterial({ roughness: 0.55, metalness: 0.1 });
      material.color.setRGB(...color.map((value) => value / 255), THREE.SRGBColorSpace);
      const mesh = new THREE.Mesh(geometry, material);
      mesh.castShadow = true;
      if (!bodies.has(body)) bodies.set(body, new THREE.Group());
      bodies.get(body).add(mesh);
    }
    this.scene.add(...bodies.values());
    return bodies;
  }

  /** An arrow of 0.6 m along x, with its tip at the origin. */
  addArrow() {
    const material = new THREE.MeshLambertMaterial({ color: 0xe8590c });
    const shaft = new THREE.Mesh(new THREE.CylinderGeometry(0.025, 0.025, 0.42), material);
    const head = new THREE.Mesh(new THREE.ConeGeometry(0.07, 0.18), material);
    shaft.position.y = -0.39;
    head.position.y = -0.09;
    const arrow = new THREE.Group();
    arrow.add(new THREE.Group().add(shaft, head));
    arrow.children[0].rotation.z = -Math.PI / 2;
    this.scene.add(arrow);
    return arrow;
  }

  /** Take the page's colors, light or dark. */
  setTheme(style) {
    const color = (name) => style.getPropertyValue(name).trim();
    this.scene.background = new THREE.Color(color("--sky"));
    this.scene.fog.color.set(color("--sky"));
    const pen = this.tiles.getContext("2d");
    pen.fillStyle = color("--tile-a");
    pen.fillRect(0, 0, 128, 128);
    pen.fillStyle = color("--tile-b");
    pen.fillRect(0, 0, 64, 64);
    pen.fillRect(64, 64, 64, 64);
    this.floorTexture.needsUpdate = true;
  }

  /** Drag to turn the camera, wheel or pinch to zoom. */
  followPointer() {
    const pointers = new Map();
    const zoom = (factor) => { this.orbit.distance = clip(this.orbit.distance * factor, 1.5, 9); };
    const spread = () => {
      const [a, b] = pointers.values();
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const before = pointers.size === 2 ? spread() : 0;
      const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (before) {
        zoom(before / Math.max(spread(), 1));
      } else {
        this.orbit.azimuth -= 0.008 * dx;
        this.orbit.elevation = clip(this.orbit.elevation + 0.006 * dy, 0.03, 1.3);
      }
    });
    for (const name of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    }
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(Math.exp(0.001 * event.deltaY));
    }, { passive: false });
  }

  /** Show the direction of a push for a moment. */
  showPush(position, x, y) {
    const direction = new THREE.Vector3(x, y, 0).normalize();
    this.arrow.position.set(position[0], position[1], position[2] + 0.2).addScaledVector(direction, -0.15);
    this.arrow.rotation.z = Math.atan2(y, x);
    this.arrowUntil = performance.now() + 600;
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const size = `${width}x${height}@${this.pixelRatio}`;
    if (size === this.size || !width || !height) return;
    this.size = size;
    this.renderer.setPixelRatio(this.pixelRatio);
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.fov = width < height ? 46 : 36;
    this.camera.updateProjectionMatrix();
  }

  /** Draw the robot where the simulation has it; `elapsed` seconds after the last time. */
  draw(simulation, elapsed) {
    this.adapt(elapsed);
    this.resize();
    const { xpos, xquat } = simulation.data;
    for (const [body, group] of this.bodies) {
      group.position.set(xpos[3 * body], xpos[3 * body + 1], xpos[3 * body + 2]);
      const [w, x, y, z] = xquat.subarray(4 * body, 4 * body + 4);
      group.quaternion.set(x, y, z, w);
    }
    const [x, y] = simulation.position;
    const aim = new THREE.Vector3(x, y, this.camera.aspect < 1 ? 0.55 : 0.7); // above the pad on a phone
    this.target.lerp(aim, this.target.distanceTo(aim) > 2 ? 1 : 1 - Math.exp(-8 * elapsed));
    const { azimuth, elevation, distance } = this.orbit;
    const flat = distance * Math.cos(elevation);
    const eye = new THREE.Vector3(flat * Math.cos(azimuth), flat * Math.sin(azimuth), distance * Math.sin(elevation));
    this.camera.position.copy(this.target).add(eye);
    this.camera.lookAt(this.target);
    this.floor.position.set(2 * TILE * Math.round(x / (2 * TILE)), 2 * TILE * Math.round(y / (2 * TILE)), 0);
    this.sun.position.set(x - 1.6, y - 1.2, 4);
    this.sun.target.position.set(x, y, 0.5);
    this.arrow.visible = performance.now() < (this.arrowUntil ?? 0);
    this.renderer.render(this.scene, this.camera);
  }

  /** On a slow machine draw fewer pixels, then no shadow. */
  adapt(elapsed) {
    this.frameSeconds += 0.05 * (elapsed - this.frameSeconds);
    if (this.frameSeconds < SLOW_FRAME_S) return;
    this.frameSeconds = 0;
    if (this.pixelRatio > 1) this.pixelRatio = 1;
    else if (this.sun.castShadow) this.sun.castShadow = false;
    else this.pixelRatio = 0.6;
  }
}
