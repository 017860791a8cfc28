#!/usr/bin/env python3
"""Trains the shapes model on: Examples/shapes, a Stable Diffusion 1.x small enough for a repository.

    .venv/bin/python Tools/shapes/train.py decoder --minutes 30        the autoencoder's second half: sharper edges;
                                                                       --small 0.5 for those of small shapes
    .venv/bin/python Tools/shapes/train.py denoiser --minutes 90       text encoder and U-Net: what is drawn, and where
    .venv/bin/python Tools/shapes/train.py denoiser --minutes 22 --learning-rate 3e-4 --soften 0.467
    .venv/bin/python Tools/shapes/train.py autoencoder --minutes 50    both halves; denoisers of the old latents are lost

The third makes the denoiser fit for a guidance of 7.5. One whose captions are always true believes every word, draws best with
a guidance of 3.5 and overshoots with more; this one learns from it (as Meng et al. 2022, arXiv:2210.03142, learn from guided
ones) what it predicts with 3.5 / 7.5 = 0.467 of the caption's influence, and draws the same with 7.5.

`make .venv/requirements.txt` installs the packages. Reads a model's folder (--model) and replaces its weights at the end and
every five minutes, as float16 under their published names. --scratch begins with random weights. On a GPU (--device cuda) take
more of everything: --batch 256 --workers 12. decoder and denoiser change different files and can run at the same time. Several
processes share the work under torchrun, which on a CPU is faster than threads:
torchrun --nproc-per-node 2 Tools/shapes/train.py ...
"""
import argparse, copy, itertools, math, os, random, time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as distributed
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader, IterableDataset
from transformers import CLIPTextModel, CLIPTokenizer

import scenes

CAPTION_DROPOUT = 0.1  # what guidance needs: a denoiser that knows what nothing in particular looks like
POOL = 40_000  # encoded scenes that the denoiser learns from, the oldest replaced by new ones


class SceneStream(IterableDataset):
    """Endless pictures [3, SIDE, SIDE] in -1…1 and captions, seven tenths of them of one shape, some of small ones only."""

    def __init__(self, options):
        self.seed, self.small = options.seed, options.small

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        generator = random.Random(f"{self.seed}, {worker.id if worker else 0}")
        while True:
            scene = (scenes.one_shape if generator.random() < 0.7 else scenes.two_shapes)(generator)
            if generator.random() < self.small:
                scene = scene.shrunk
            picture = torch.from_numpy(np.array(scene.draw(generator))).permute(2, 0, 1) / 127.5 - 1
            yield picture, ("a picture of " if generator.random() < 0.1 else "") + scene.caption


class Training:
    """What both kinds have in common: time, learning rate, steps, the running average of the weights, files."""

    def __init__(self, options, modules, learning_rate):
        self.options, self.modules, self.learning_rate = options, modules, learning_rate
        self.averages = copies(modules)
        self.parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, betas=(0.9, 0.99), weight_decay=1e-3, fused=True)
        self.losses = []

    def run(self, loss):
        """Repeats steps until time is up; `loss` computes one."""
        start, saved = time.monotonic(), 0
        for step in itertools.count():
            passed = self.agreed(time.monotonic() - start)
            fraction = min(passed / (self.options.minutes * 60), 1)
            self.step(step, fraction, loss)
            if step % 50 == 49 and self.leads:
                print(f"{step + 1} steps, {passed:.0f} s, loss {np.mean(self.losses[-50:]):.5f}", flush=True)
            if fraction == 1 or passed - saved > 300:
                self.save()
                saved = passed
            if fraction == 1:
                return

    def step(self, step, fraction, loss):
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * min(1, step / 100) * (0.5 + 0.5 * math.cos(math.pi * fraction))
        self.optimizer.zero_grad()
        value = loss()
        value.backward()
        if distributed.is_initialized():
            gradients = torch.nn.utils.parameters_to_vector([p.grad for p in self.parameters])
            distributed.all_reduce(gradients)
            gradients /= distributed.get_world_size()
            for parameter, gradient in zip(self.parameters, gradients.split([p.numel() for p in self.parameters])):
                parameter.grad.copy_(gradient.view_as(parameter))
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.losses.append(value.item())
        decay = min(0.999, 1 - 10 / (step + 10))
        for name, module in self.modules.items():
            torch._foreach_lerp_(list(self.averages[name].parameters()), list(module.parameters()), 1 - decay)

    def agreed(self, seconds):
        """The first process' time, so that all do the same number of steps."""
        if not distributed.is_initialized():
            return seconds
        seconds = torch.tensor(seconds, device=self.options.device)
        distributed.broadcast(seconds, 0)
        return seconds.item()

    @property
    def leads(self):
        return not distributed.is_initialized() or distributed.get_rank() == 0

    def save(self):
        if not self.leads:
            return
        for name, module in self.averages.items():
            save_weights(module, Path(self.options.model) / name)


def copies(modules):
    """Modules as they are now, which do not learn."""
    return {name: copy.deepcopy(module).eval().requires_grad_(False) for name, module in modules.items()}


def save_weights(module, folder):
    """Replaces the tensors of a folder's one file, under the names that it has."""
    path, = folder.glob("*.safetensors")
    with safe_open(path, "pt") as file:
        names, metadata = list(file.keys()), file.metadata()
    tensors = {name: tensor.to(torch.float16).cpu().contiguous() for name, tensor in module.state_dict().items()}
    if not names[0] in tensors:
        tensors = {"text_model." + name: tensor for name, tensor in tensors.items()}
    # Written beside it first: an interruption leaves the old weights.
    save_file({name: tensors[name] for name in names}, path.with_suffix(".new"), metadata=metadata)
    path.with_suffix(".new").replace(path)


def load(kind, options, part):
    module = kind.from_pretrained(options.model, subfolder=part).float()
    if options.scratch:
        module = kind.from_config(module.config) if hasattr(kind, "from_config") else kind(module.config)
    return module.to(options.device)


def batches(options, size):
    loader = DataLoader(SceneStream(options), batch_size=size, num_workers=options.workers)
    return ((pictures.to(options.device), captions) for pictures, captions in loader)


def edges(picture):
    """Differences of neighbours, down and across."""
    return picture.diff(dim=-2), picture.diff(dim=-1)


def train_autoencoder(options):
    vae = load(AutoencoderKL, options, "vae")
    decoder_only = options.part == "decoder"
    if decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    data = batches(options, options.batch or 12)

    def loss():
        pictures, _ = next(data)
        with autocast(options), torch.set_grad_enabled(not decoder_only):
            posterior = vae.encode(pictures).latent_dist
            latents = posterior.sample()
        if decoder_only:
            # A denoiser's latents are a little off, and the decoder should not mind.
            latents = latents + torch.rand(len(latents), 1, 1, 1, device=latents.device) * 0.2 * torch.randn_like(latents)
        with autocast(options):
            decoded = vae.decode(latents).sample
        decoded = decoded.float()
        value = F.l1_loss(decoded, pictures) + F.mse_loss(decoded, pictures)
        value += sum(F.l1_loss(a, b) for a, b in zip(edges(decoded), edges(pictures)))
        return value if decoder_only else value + 2e-4 * posterior.kl().float().mean() / latents[0].numel()

    training = Training(options, {"vae": vae}, options.learning_rate or 1e-3)
    training.run(loss)
    if not decoder_only:
        pictures, _ = next(data)
        with torch.no_grad():
            deviation = training.averages["vae"].encode(pictures).latent_dist.sample().std()
        print(f"set scaling_factor in {options.model}/vae/config.json to {1 / deviation:.5f}")


class LatentPool:
    """Posteriors of scenes and their captions; grows by a batch at every fourth draw."""

    def __init__(self, vae, data, options):
        self.vae, self.data, self.options, self.entries, self.draws = vae, data, options, [], 0
        for _ in range(100):
            self.grow()

    def grow(self):
        pictures, captions = next(self.data)
        with torch.no_grad(), autocast(self.options):
            posterior = self.vae.encode(pictures).latent_dist
        self.entries += zip(posterior.mean.half(), posterior.std.half(), captions)
        del self.entries[:-POOL]

    def draw(self, count):
        self.draws += 1
        if self.draws % 4 == 0:
            self.grow()
        means, deviations, captions = zip(*random.sample(self.entries, count))
        means, deviations = torch.stack(means).float(), torch.stack(deviations).float()
        latents = means + deviations * torch.randn_like(means)
        return latents * self.vae.config.scaling_factor, captions


def train_denoiser(options):
    vae = load(AutoencoderKL, argparse.Namespace(**vars(options) | {"scratch": False}), "vae").eval().requires_grad_(False)
    unet, text_encoder = load(UNet2DConditionModel, options, "unet"), load(CLIPTextModel, options, "text_encoder")
    if options.device == "cpu":
        # PyTorch's fused attention is slow on heads of eight columns.
        unet.set_attn_processor(AttnProcessor())
        text_encoder.set_attn_implementation("eager")
    tokenizer = CLIPTokenizer.from_pretrained(options.model, subfolder="tokenizer")
    schedule = DDPMScheduler.from_pretrained(options.model, subfolder="scheduler")
    # The error of v (Salimans and Ho, 2022) that an error of the noise makes. It is decided in noisy pictures what is drawn
    # and where, but the noise's own error is smallest there.
    weights = (1 / schedule.alphas_cumprod).clamp(max=100).to(options.device)
    size = options.batch or 32
    pool = LatentPool(vae, batches(options, size), options)
    modules = {"unet": unet, "text_encoder": text_encoder}
    before = copies(modules)

    def predict(modules, noisy, timesteps, captions):
        ids = tokenizer(captions, padding="max_length", return_tensors="pt").input_ids.to(options.device)
        with autocast(options):
            states = modules["text_encoder"](ids).last_hidden_state
            return modules["unet"](noisy, timesteps.to(options.device), encoder_hidden_states=states).sample.float()

    @torch.no_grad()
    def softened(noisy, timesteps, captions):
        """What the weights as they were predict with captions, brought nearer to what they predict without."""
        without = predict(before, noisy, timesteps, [""] * size)
        return without.lerp(predict(before, noisy, timesteps, captions), options.soften)

    def loss():
        latents, captions = pool.draw(size)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, 1000, (size,))
        noisy = schedule.add_noise(latents, noise, timesteps)
        captions = ["" if random.random() < CAPTION_DROPOUT else caption for caption in captions]
        target = softened(noisy, timesteps, captions) if options.soften else noise
        errors = (predict(modules, noisy, timesteps, captions) - target).square().mean(dim=(1, 2, 3))
        return (errors * weights[timesteps]).mean()

    Training(options, modules, options.learning_rate or 5e-4).run(loss)


def autocast(options):
    return torch.autocast(options.device, torch.bfloat16)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["decoder", "denoiser", "autoencoder"])
    parser.add_argument("--model", default="Examples/shapes", help="the folder (Examples/shapes)")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--batch", type=int, help="scenes a step (32; 12 for the autoencoder)")
    parser.add_argument("--learning-rate", type=float, help="at first (1e-3; 5e-4 for the denoiser)")
    parser.add_argument("--small", type=float, default=0, help="share of scenes that have small shapes only, beside chance (0)")
    parser.add_argument("--soften", type=float, help="learn what the weights as they are predict, with captions counting so much")
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="of the scenes (the time)")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes (1)")
    parser.add_argument("--threads", type=int, help="threads that compute on a CPU")
    parser.add_argument("--scratch", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if "RANK" in os.environ:
        distributed.init_process_group()
        options.seed += distributed.get_rank()
        torch.manual_seed(options.seed)
    (train_denoiser if options.part == "denoiser" else train_autoencoder)(options)
