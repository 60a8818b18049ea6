"""python3 -m decoder"""
import sys

from .cli import main

sys.exit(main())
